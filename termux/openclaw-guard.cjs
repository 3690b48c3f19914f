// Preloaded by OpenClaw's Node where Android keeps things from it: NODE_OPTIONS=--require=.../openclaw-guard.cjs (facts/termux.md 11).
//
//   os.networkInterfaces()  throws "uv_interface_addresses ... error 13" on Android 13 and later; OpenClaw's start does not survive it
//   os.cpus()               is empty, since /proc/stat is closed; who divides by its length or takes its first entry is wrong
//
// Run by itself it says whether this Node suits OpenClaw: one line, `guard` or `plain` (is it needed here?), or a sentence and status 1.
'use strict';

const os = require('node:os');
const { syncBuiltinESMExports } = require('node:module');

// What OpenClaw 2026.9.6 wants: from, below (`phone/doctor/checks_apps.py` has the same).
const NODES = [
  [[24, 16], [25, 0]],
  [[26, 1], [1000, 0]],
];
const NO_MAC = '00:00:00:00:00:00';
const realInterfaces = os.networkInterfaces;
const realCpus = os.cpus;

function loopback() {
  return {
    lo: [
      { address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4', mac: NO_MAC, internal: true, cidr: '127.0.0.1/8' },
      {
        address: '::1',
        netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
        family: 'IPv6',
        mac: NO_MAC,
        internal: true,
        cidr: '::1/128',
        scopeid: 0,
      },
    ],
  };
}

// Only what the system refuses: an error of somebody's own is not ours to hide.
function isRefused(error) {
  return ['ERR_SYSTEM_ERROR', 'EACCES', 'EPERM'].includes(error?.code);
}

function networkInterfaces() {
  try {
    return realInterfaces();
  } catch (error) {
    if (!isRefused(error)) throw error;
    return loopback();
  }
}

function cpus() {
  const known = realCpus();
  if (known.length > 0) return known;
  const times = { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 };
  return Array.from({ length: Math.max(1, os.availableParallelism()) }, () => ({ model: 'unknown', speed: 0, times: { ...times } }));
}

// `import os from 'node:os'` sees the new ones at once, `import { cpus } from 'node:os'` after the synchronization.
function install() {
  os.networkInterfaces = networkInterfaces;
  os.cpus = cpus;
  syncBuiltinESMExports();
}

function isNeeded() {
  if (process.platform === 'android') return true;
  try {
    realInterfaces();
  } catch (error) {
    return isRefused(error);
  }
  return realCpus().length === 0;
}

function isBelow(one, other) {
  return one[0] !== other[0] ? one[0] < other[0] : one[1] < other[1];
}

function main() {
  const version = process.versions.node.split('.').map(Number);
  if (NODES.some(([low, high]) => !isBelow(version, low) && isBelow(version, high))) {
    console.log(isNeeded() ? 'guard' : 'plain');
    return;
  }
  console.log(`node is ${process.versions.node}; openclaw wants 24.16 or later of 24, or 26.1 or later. Type: pkg install nodejs-lts`);
  process.exitCode = 1;
}

if (require.main === module) main();
else install();
