import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The tests that pass, one name a line, sorted. It only grows. */
const FILE = fileURLToPath(new URL('./pass-list.txt', import.meta.url));

export function readPassList(): string[] {
  return existsSync(FILE) ? readFileSync(FILE, 'utf8').split('\n').filter(Boolean) : [];
}

/** Adds tests to the list; nothing is ever taken off. */
export function addToPassList(names: readonly string[]): void {
  const all = [...new Set([...readPassList(), ...names])].sort();
  writeFileSync(FILE, `${all.join('\n')}\n`);
}
