import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../packaging/workspace';
import { CASES, EVENTS, NOT_HERE } from './cases';

/** `C7: …`, `F7, M1: …`, `O12 refuses …`, at the beginning of a string. */
const TITLE = /['"`]([A-Z]\d{1,2}(?:, [A-Z]\d{1,2})*)(?:: | (?=[A-Za-z%]))/g;

const testFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : testFiles(path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });

/** The files with a test whose title begins with an id, by id; the page's own test counts for none. */
export function testsById(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of ['apps', 'examples', 'packages', 'tooling'].flatMap((folder) => testFiles(join(root, folder)))) {
    const name = relative(root, file);
    if (name.startsWith('tooling/reliability/')) continue;
    for (const [, ids] of readFileSync(file, 'utf8').matchAll(TITLE)) {
      for (const id of ids!.split(', ')) {
        const files = found.get(id) ?? [];
        if (!files.includes(name)) found.set(id, [...files, name]);
      }
    }
  }
  for (const files of found.values()) files.sort();
  return found;
}

const number = (id: string): number => Number(id.slice(1));

/** The page of bad inputs and events with the tests of each. */
export function reliabilityPage(tests: ReadonlyMap<string, readonly string[]> = testsById()): string {
  const lines = [
    '# Bad inputs and events',
    '',
    'What can be wrong with a file, a command line or a machine has an id here, and a test that begins with it. Such input ends in a typed `EngineError` that names what was wrong, or in the result that the test states; nothing is half written, and the next run is right.',
    '',
    'Made from the titles of the tests by `NE_RELIABILITY_UPDATE=1 npx vitest run tooling/reliability`; a test fails when an id loses its last one.',
  ];
  for (const [title, cases] of Object.entries(CASES)) {
    lines.push('', `## ${title}`, '', '| id | | tested in |', '| --- | --- | --- |');
    for (const [id, what] of Object.entries(cases)) lines.push(`| ${id} | ${what} | ${placesOf(id, tests)} |`);
  }
  lines.push('', '## Events', '', '| ids | | tested in |', '| --- | --- | --- |');
  for (const [group, what] of Object.entries(EVENTS)) {
    const ids = [...tests.keys()].filter((id) => id.startsWith(group)).sort((a, b) => number(a) - number(b));
    const files = [...new Set(ids.flatMap((id) => tests.get(id)!))].sort();
    lines.push(`| ${ids.join(', ')} | ${what} | ${files.map((file) => `\`${file}\``).join(', ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

function placesOf(id: string, tests: ReadonlyMap<string, readonly string[]>): string {
  const instead = NOT_HERE[id];
  if (instead) return instead.includes('/') ? `\`${instead}\`` : instead;
  return (tests.get(id) ?? []).map((file) => `\`${file}\``).join(', ');
}
