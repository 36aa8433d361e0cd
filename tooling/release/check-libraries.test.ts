import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { publicPackages } from '../packaging/workspace';
import { problems, target } from './check-libraries';

/** An executable's header and nothing else. */
function header(write: (bytes: Buffer) => void, text = ''): Buffer {
  const bytes = Buffer.alloc(128);
  write(bytes);
  return Buffer.concat([bytes, Buffer.from(text)]);
}
const elf = (machine: number, text?: string) =>
  header((bytes) => {
    bytes.writeUInt32BE(0x7f454c46, 0);
    bytes.writeUInt16LE(machine, 18);
  }, text);
const macho = (cpu: number) =>
  header((bytes) => {
    bytes.writeUInt32LE(0xfeedfacf, 0);
    bytes.writeUInt32LE(cpu, 4);
  });
const pe = (machine: number) =>
  header((bytes) => {
    bytes.write('MZ', 0);
    bytes.writeUInt32LE(64, 60);
    bytes.writeUInt16LE(machine, 68);
  });

it.each([
  ['linux-x64-gnu', elf(0x3e, 'GLIBC_2.28')],
  ['linux-x64-musl', elf(0x3e)],
  ['linux-arm64-gnu', elf(0xb7, 'GLIBC_2.17 GLIBC_2.28')],
  ['darwin-arm64', macho(0x0100000c)],
  ['win32-x64-msvc', pe(0x8664)],
])('accepts what is made for %s, and there only', (triple, bytes) => {
  expect(problems(triple, bytes)).toEqual([]);
  for (const other of ['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'darwin-arm64', 'win32-x64-msvc'])
    if (other !== triple) expect(problems(other, bytes), other).toHaveLength(1);
});

it('refuses what would not load on every system that Node runs on', () => {
  expect(problems('linux-x64-gnu', elf(0x3e, 'GLIBC_2.17 GLIBC_2.34'))).toEqual(['needs glibc 2.34, Node runs on 2.28']);
  expect(problems('linux-x64-gnu', Buffer.from('nothing'))).toEqual(['is for no executable ']);
});

it('knows the library that is built here', () => {
  const { folder, manifest } = publicPackages().find(({ short }) => short === `kernels-${process.platform}-${process.arch}-gnu`) ?? {};
  const file = folder && join(folder, manifest!.main!);
  if (!file || !existsSync(file)) return console.log(`not tested: no library for ${process.platform} ${process.arch} is built`);
  expect(target(readFileSync(file))).toEqual({ os: process.platform, cpu: process.arch });
});
