// Looks at the native libraries in packages/kernels/npm/ before they are published: `npx tsx tooling/release/check-libraries.ts [TRIPLE…]`.
// Without names all of them must be there. Each must be for its platform, need no newer C library than Node itself, and keep to its size.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../packages/kernels/npm', import.meta.url));
/** What Node 20 needs of glibc; a library that needs more would not load where Node runs. */
const GLIBC_MINOR = 28;
const MAX_BYTES = 8e6;
const MACHINES: Readonly<Record<string, readonly number[]>> = { x64: [0x3e, 0x8664], arm64: [0xb7, 0xaa64] };

/** What the headers of an executable say that it is for. */
export function target(bytes: Buffer): { os: string; cpu: string } {
  const cpuOf = (machine: number): string =>
    Object.keys(MACHINES).find((cpu) => MACHINES[cpu]!.includes(machine)) ?? `machine 0x${machine.toString(16)}`;
  if (bytes.length < 64) return { os: 'no executable', cpu: '' };
  if (bytes.readUInt32BE(0) === 0x7f454c46) return { os: 'linux', cpu: cpuOf(bytes.readUInt16LE(18)) };
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return { os: 'darwin', cpu: bytes.readUInt32LE(4) === 0x0100000c ? 'arm64' : 'x64' };
  if (bytes.readUInt16BE(0) === 0x4d5a) {
    const header = bytes.readUInt32LE(60);
    if (header + 6 <= bytes.length) return { os: 'win32', cpu: cpuOf(bytes.readUInt16LE(header + 4)) };
  }
  return { os: 'no executable', cpu: '' };
}

/** What is wrong with the library of a platform; nothing when it may be published. */
export function problems(triple: string, bytes: Buffer): string[] {
  const [os, cpu, libc] = triple.split('-');
  const found = target(bytes);
  if (found.os !== os || found.cpu !== cpu) return [`is for ${found.os} ${found.cpu}`];
  const wrong: string[] = [];
  const minors = [...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
  const newest = Math.max(-1, ...minors);
  if (libc === 'gnu' && newest > GLIBC_MINOR) wrong.push(`needs glibc 2.${newest}, Node runs on 2.${GLIBC_MINOR}`);
  if (libc === 'gnu' && newest < 0) wrong.push('is not linked to glibc');
  if (libc === 'musl' && newest >= 0) wrong.push('is linked to glibc');
  if (bytes.length > MAX_BYTES) wrong.push(`has ${bytes.length} bytes, the limit is ${MAX_BYTES}`);
  return wrong;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const named = process.argv.slice(2);
  for (const triple of named.length > 0 ? named : readdirSync(folder)) {
    const file = join(folder, triple, `neural-engine.${triple}.node`);
    const wrong = existsSync(file) ? problems(triple, readFileSync(file)) : ['is missing'];
    for (const what of wrong) console.error(`${triple}: the library ${what}`);
    if (wrong.length > 0) process.exitCode = 1;
    else console.log(`${triple}: good`);
  }
}
