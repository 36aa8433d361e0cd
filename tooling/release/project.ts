import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { USES } from '../packaging/uses';
import { readManifest, SCOPE } from '../packaging/workspace';
import type { Release } from './release';

/** The packages that a use needs, by their short names. */
export function neededBy(short: string): string[] {
  const { program, beside = [] } = USES[short]!;
  return [...new Set([short, ...beside, ...[...program.matchAll(/use\('([\w-]+)'\)/g)].map((match) => match[1]!)])];
}

/** Writes what a package is used for as `use.mjs` and `use.cjs`; an error is printed with its code. */
export function writeUse(project: string, short: string): void {
  const body = (get: string): string => `const use = async (short) => ${get}('${SCOPE}' + short);
    (async () => { const lib = await use('${short}'); ${USES[short]!.program} })()
      .then((text) => console.log(text), (error) => { console.log(error.code, error.message); process.exitCode = 1; });`;
  writeFileSync(join(project, 'use.mjs'), body('import'));
  writeFileSync(join(project, 'use.cjs'), body('require'));
}

/** What the use of a package prints, as a module or as CommonJS; for one that fails, its error. */
export async function use(release: Release, project: string, kind: 'mjs' | 'cjs'): Promise<string> {
  return (await release.run(project, 'sh', '-c', `"${process.execPath}" use.${kind} || true`)).trimEnd();
}

/** Our packages that an npm project has, by their short names, with their versions. */
export function installed(project: string): Map<string, string> {
  const folder = join(project, 'node_modules', SCOPE);
  return new Map(readdirSync(folder).map((short) => [short, readManifest(join(folder, short)).version]));
}

/** Files below a folder with their sizes in bytes. */
export function filesOf(folder: string): Map<string, number> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
  const entries = names.map((name) => [name, statSync(join(folder, name))] as const);
  return new Map(entries.filter(([, stat]) => stat.isFile()).map(([name, stat]) => [name, stat.size]));
}

export const sizeOf = (folder: string): number => [...filesOf(folder).values()].reduce((sum, size) => sum + size, 0);

/** The examples of a README: its blocks marked `ts`; none where there is no such file. */
export function examplesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  return [...readFileSync(file, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}

/** Replaces text in files of a project. @returns a function that puts the files back. */
export function patch(project: string, files: readonly string[], pattern: RegExp, replacement: string): () => void {
  const before = files.map((file) => [join(project, file), readFileSync(join(project, file), 'utf8')] as const);
  for (const [file, text] of before) {
    if (!pattern.test(text)) throw new Error(`${file} has nothing like ${pattern}`);
    writeFileSync(file, text.replace(pattern, replacement));
  }
  return () => {
    for (const [file, text] of before) writeFileSync(file, text);
  };
}
