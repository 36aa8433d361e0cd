/**
 * Writes src/tokenizer/generated/unicode-8.ts: the general categories that BERT tokenizers ask for, as of Unicode 8.0.
 *
 * Usage: node scripts/make-unicode-tables.mjs FOLDER, where FOLDER is the npm package @unicode/unicode-8.0.0, unpacked.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node scripts/make-unicode-tables.mjs FOLDER_OF_@unicode/unicode-8.0.0');

async function codePoints(category) {
  const module = await import(pathToFileURL(resolve(folder, 'General_Category', category, 'code-points.mjs')).href);
  return module.default;
}

/** Gaps and lengths of the runs in base 36, alternately: `start₀ length₀ gap₁ length₁ …`. */
function encode(points) {
  const sorted = [...points].sort((a, b) => a - b);
  const numbers = [];
  let end = 0;
  for (let i = 0; i < sorted.length; ) {
    let last = i;
    while (last + 1 < sorted.length && sorted[last + 1] === sorted[last] + 1) last++;
    numbers.push(sorted[i] - end, sorted[last] - sorted[i] + 1);
    end = sorted[last] + 1;
    i = last + 1;
  }
  return numbers.map((number) => number.toString(36)).join(' ');
}

const tables = {
  PUNCTUATION: await codePoints('Punctuation'),
  NONSPACING_MARK: await codePoints('Nonspacing_Mark'),
  CONTROL: (await Promise.all(['Control', 'Format', 'Private_Use', 'Surrogate'].map(codePoints))).flat(),
};
let source = '// Made by scripts/make-unicode-tables.mjs from the Unicode Character Database, version 8.0.0.\n';
source += '// Runs of code points in base 36: gap since the last run, length, gap, length, …\n';
for (const [name, points] of Object.entries(tables)) source += `export const ${name} =\n  '${encode(points)}';\n`;
writeFileSync(fileURLToPath(new URL('../src/tokenizer/generated/unicode-8.ts', import.meta.url)), source);
