"""Holds a model's answer to a form: schemas, patterns and choices -> GBNF (`grammar`), and the check afterwards (`check`).

    flat        what $ref, allOf and the words beside them demand of one value, as one record
    compile     that record -> rules; numbers, strings, objects, tries write the parts
    regex, nfa, automaton, emit   pattern -> tree -> finite automaton -> rules; also what `check` matches with
    until       text without certain words
    gbnf        a grammar read back, so that llama.cpp gets none that it refuses or hangs on
    bounds      how large all this may be
"""
