import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../packaging/workspace';
import { CASES, NOT_HERE } from './cases';

const IDS = '[A-Z]\\d{1,2}(?:, [A-Z]\\d{1,2})*';
/** How a test begins with ids: as `C7: …`, `F7, M1: …` or `O12 refuses …` at the beginning of a string, or of the comment on a test in Rust. */
const TITLES: Readonly<Record<string, RegExp>> = {
  '.test.ts': new RegExp(`['"\`](${IDS})(?:: | (?=[A-Za-z%]))`, 'g'),
  '.rs': new RegExp(`^ *///? (${IDS}): .*\\n *#\\[test\\]`, 'gm'),
};

/** Files below a folder that may hold tests, each with what finds ids in it. */
const testFiles = (folder: string): [string, RegExp][] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'dist', 'target'].includes(entry.name) ? [] : testFiles(path);
    return Object.entries(TITLES).flatMap(([ending, title]): [string, RegExp][] => (entry.name.endsWith(ending) ? [[path, title]] : []));
  });

/** The files with a test that begins with an id, by id; the page's own test counts for none. */
export function testsById(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [file, title] of ['apps', 'examples', 'packages', 'tooling', 'rust-kernels'].flatMap((name) => testFiles(join(root, name)))) {
    const name = relative(root, file);
    if (name.startsWith('tooling/reliability/')) continue;
    for (const [, ids] of readFileSync(file, 'utf8').matchAll(title)) {
      for (const id of ids!.split(', ')) {
        const files = found.get(id) ?? [];
        if (!files.includes(name)) found.set(id, [...files, name]);
      }
    }
  }
  for (const files of found.values()) files.sort();
  return found;
}

/** The page of bad inputs and events with the tests of each. */
export function reliabilityPage(tests: ReadonlyMap<string, readonly string[]> = testsById()): string {
  const lines = [
    '# Bad inputs and events',
    '',
    'What can be wrong with a file, a command line or a machine has an id here, and a test that begins with it or a reason why there is none. Such input ends in a typed `EngineError` that names what was wrong, or in the result that the test states; nothing is half written, and the next run is right.',
    '',
    'Made from the tests by `NE_RELIABILITY_UPDATE=1 npx vitest run tooling/reliability`; a test fails when an id loses its last one.',
  ];
  for (const [title, cases] of Object.entries(CASES)) {
    lines.push('', `## ${title}`, '', '| id | | tested in |', '| --- | --- | --- |');
    for (const [id, what] of Object.entries(cases)) lines.push(`| ${id} | ${what} | ${placesOf(id, tests)} |`);
  }
  return `${lines.join('\n')}\n`;
}

const placesOf = (id: string, tests: ReadonlyMap<string, readonly string[]>): string =>
  NOT_HERE[id] ?? (tests.get(id) ?? []).map((file) => `\`${file}\``).join(', ');
