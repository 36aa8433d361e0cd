import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EngineError } from '@neural-engine/core';
import { runInChild } from './child';
import type { SectionSpec } from './context';
import { machineFacts, markdownOf, type Section, verdict, writeRecord } from './record';
import { SECTIONS } from './sections/index';

const HELP = `pnpm bench [SECTION…] [--quick] [--record] [--json]

Reruns the tables of the README and keeps a record in apps/bench/records when all sections run (or with --record).

  --quick    fewer runs of each: 8 minutes in place of 25
  --record   keep a record of these sections too
  --json     print JSON in place of markdown

Sections:
${SECTIONS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function chosenSections(): readonly SectionSpec[] {
  const unknown = positionals.find((name) => !SECTIONS.some((section) => section.name === name));
  if (unknown)
    throw new EngineError('E_USAGE', 'usage', `there is no section "${unknown}": ${SECTIONS.map(({ name }) => name).join(', ')}`);
  if (positionals.length > 0) return SECTIONS.filter(({ name }) => positionals.includes(name));
  return SECTIONS.filter(({ onDemand }) => !onDemand);
}

/** What one process of a section measured. One that fails has a row that says so, and the others still run. */
async function tried(spec: SectionSpec, run: number, folder: string): Promise<Section[]> {
  try {
    return await runInChild(spec, run, { folder, quick: values.quick });
  } catch (error) {
    if (!EngineError.isInstance(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
    const part = spec.runs.length > 1 ? `, part ${run + 1} of ${spec.runs.length}` : '';
    return [{ title: `${spec.name}${part}`, rows: [{ what: spec.about, measured: null, unit: '', detail: error.message }] }];
  }
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const chosen = chosenSections();
  const folder = mkdtempSync(join(tmpdir(), 'ne-bench-'));
  const started = Date.now();
  const sections: Section[] = [];
  try {
    for (const [i, spec] of chosen.entries()) {
      process.stderr.write(`${spec.name} (${i + 1} of ${chosen.length}): ${spec.about}\n`);
      for (let run = 0; run < spec.runs.length; run++) sections.push(...(await tried(spec, run, folder)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const facts = machineFacts(values.quick);
  process.stdout.write(values.json ? `${JSON.stringify({ schemaVersion: 2, ...facts, sections })}\n` : `${markdownOf(facts, sections)}\n`);
  const rows = sections.flatMap((section) => section.rows);
  const count = (what: string): number => rows.filter((row) => verdict(row) === what).length;
  process.stderr.write(
    `${((Date.now() - started) / 60_000).toFixed(1)} minutes; ${count('met')} bars met, ${count('floor met')} at their floor, ${count('missed')} missed\n`,
  );
  const isWhole = SECTIONS.every((section) => section.onDemand || chosen.includes(section));
  if (!isWhole && !values.record) return;
  // A record of some sections is not that of all.
  const part = isWhole ? '' : `-${chosen.map(({ name }) => name).join('-')}`;
  const path = await writeRecord(fileURLToPath(new URL('../records/', import.meta.url)), facts, sections, part);
  process.stderr.write(`recorded in ${path}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${EngineError.isInstance(error) ? `error[${error.code}] ${error.message}` : String((error as Error)?.stack ?? error)}\n`,
  );
  process.exitCode = EngineError.isInstance(error) && error.code === 'E_USAGE' ? 2 : 1;
});
