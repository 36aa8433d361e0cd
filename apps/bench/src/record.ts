import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isa } from '@neural-engine/kernels';

/** One line of a table: what was measured, the bar, and whether it was met. */
export interface Row {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  /** At least (`>=`) or at most (`<=`) this. */
  readonly bar?: { readonly kind: '>=' | '<='; readonly value: number };
  /** Absolute figures beside a ratio. */
  readonly detail?: string;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

const git = (...args: string[]): string => {
  try {
    return execFileSync('git', args, { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
};

const verdict = ({ measured, bar }: Row): string =>
  bar ? ((bar.kind === '>=' ? measured >= bar.value : measured <= bar.value) ? 'met' : '**missed**') : '';

/** Prints sections as markdown and keeps them with CPU, ISA, commit and date in `apps/bench/records`. */
export function writeRecord(sections: readonly Section[]): string {
  const report = isa();
  const facts = {
    date: new Date().toISOString().slice(0, 10),
    cpu: report.cpu,
    tier: report.tier,
    features: report.features,
    caches: report.caches,
    node: process.versions.node,
    commit: git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : ''),
  };
  const lines = [`Measured ${facts.date} on ${facts.cpu} (${facts.tier}), Node ${facts.node}, commit ${facts.commit}.`, ''];
  for (const { title, rows } of sections) {
    lines.push(`### ${title}`, '', '| what | measured | at least / at most | |', '| --- | ---: | ---: | --- |');
    for (const row of rows) {
      const value = `${Number(row.measured.toPrecision(3))} ${row.unit}${row.detail ? ` (${row.detail})` : ''}`;
      lines.push(
        `| ${row.what} | ${value} | ${row.bar ? `${row.bar.kind === '>=' ? '≥' : '≤'} ${row.bar.value} ${row.unit}` : ''} | ${verdict(row)} |`,
      );
    }
    lines.push('');
  }
  const folder = fileURLToPath(new URL('../records/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const name = `${facts.date}-${facts.tier}`;
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify({ schemaVersion: 1, ...facts, sections }, null, 2)}\n`);
  writeFileSync(`${folder}${name}.md`, `${lines.join('\n')}\n`);
  return lines.join('\n');
}
