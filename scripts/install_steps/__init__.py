"""What `scripts/install` and `scripts/uninstall` do in Termux; standard library only, Python 3.11 or later.

`where` says what belongs to this installation, `shipped` which file of `termux/` goes where, `plan` what of it is still to be done
(these and `manifest`, `texts`, `removal` are pure, tested by tables); `disk`, `runit`, `android`, `packages` and `engine` read and
change the phone; `run` and `unrun` put them together. `install.json` in the state folder is written before each change, so that what
was interrupted can be finished, and undone.
"""
