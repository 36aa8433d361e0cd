import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OutputLock, saveFile } from '@neural-engine/core';
import { isa } from '@neural-engine/kernels';
import type { Bar } from './goals';

/** One line of a table: what was measured, the bar, and whether it was met. */
export interface Row {
  readonly what: string;
  /** Null: not measured, and `detail` says why. */
  readonly measured: number | null;
  readonly unit: string;
  readonly bar?: Bar;
  /** Absolute figures beside a ratio. */
  readonly detail?: string;
}

/** A table, and pictures that belong to it. */
export interface Section {
  readonly title: string;
  /** How it was measured, for people. */
  readonly note?: string;
  readonly rows: readonly Row[];
  readonly pictures?: readonly { readonly name: string; readonly svg: string }[];
}

const git = (...args: string[]): string => {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
};

const reaches = (measured: number, kind: Bar['kind'], value: number): boolean => (kind === '>=' ? measured >= value : measured <= value);

/** `met`, `floor met`, `missed`, or nothing where no bar is set or nothing was measured. */
export function verdict({ measured, bar }: Row): '' | 'met' | 'floor met' | 'missed' {
  if (!bar || measured === null) return '';
  if (reaches(measured, bar.kind, bar.goal ?? bar.floor)) return 'met';
  return bar.goal !== undefined && reaches(measured, bar.kind, bar.floor) ? 'floor met' : 'missed';
}

/** Where, when and on which state of the sources. */
export function machineFacts(quick: boolean) {
  const report = isa();
  return {
    date: new Date().toISOString().slice(0, 10),
    quick,
    cpu: report.cpu,
    tier: report.tier,
    features: report.features,
    caches: report.caches,
    cores: report.physicalCpus.length,
    node: process.versions.node,
    commit: git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : ''),
  };
}
export type MachineFacts = ReturnType<typeof machineFacts>;

const number = (value: number): string => String(Number(value.toPrecision(3)));

export function markdownOf(facts: MachineFacts, sections: readonly Section[]): string {
  const how = facts.quick ? ' Quick: few runs of each.' : '';
  const lines = [`Measured ${facts.date} on ${facts.cpu} (${facts.tier}), Node ${facts.node}, commit ${facts.commit}.${how}`, ''];
  for (const { title, note, rows, pictures } of sections) {
    lines.push(`### ${title}`, '', ...(note ? [note, ''] : []));
    if (rows.length > 0) lines.push('| what | measured | floor | goal | |', '| --- | ---: | ---: | ---: | --- |');
    for (const row of rows) {
      const { bar } = row;
      const side = bar?.kind === '<=' ? '≤' : '≥';
      const measured = row.measured === null ? 'not measured' : `${number(row.measured)} ${row.unit}`;
      const cells = [
        row.what,
        `${measured}${row.detail ? ` (${row.detail})` : ''}`,
        bar ? `${side} ${number(bar.floor)}` : '',
        bar?.goal === undefined ? '' : `${side} ${number(bar.goal)}`,
        verdict(row).replace('missed', '**missed**'),
      ];
      lines.push(`| ${cells.join(' | ')} |`);
    }
    lines.push('', ...(pictures ?? []).flatMap(({ name }) => [`![${title}](${name})`, '']));
  }
  return lines.join('\n');
}

/**
 * Keeps sections as markdown, JSON and pictures, in place of a record of that day, tier and `part`. @returns the path of the markdown.
 *
 * @throws {EngineError} E_LOCKED another run writes that record.
 */
export async function writeRecord(folder: string, facts: MachineFacts, sections: readonly Section[], part = ''): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const name = `${facts.date}-${facts.tier}${part}${facts.quick ? '-quick' : ''}`;
  const path = join(folder, `${name}.md`);
  // Who has the page has the files beside it.
  using lock = OutputLock.take(path);
  const renamed = sections.map((section) => ({
    ...section,
    pictures: (section.pictures ?? []).map(({ name: picture, svg }) => ({ name: `${name}-${picture}.svg`, svg })),
  }));
  const force = true;
  for (const { pictures } of renamed) for (const picture of pictures) await saveFile(join(folder, picture.name), picture.svg, { force });
  const stored = renamed.map(({ pictures, ...section }) => ({ ...section, pictures: pictures.map((picture) => picture.name) }));
  await saveFile(join(folder, `${name}.json`), `${JSON.stringify({ schemaVersion: 2, ...facts, sections: stored }, null, 2)}\n`, { force });
  await saveFile(path, `${markdownOf(facts, renamed)}\n`, { force, lock });
  return path;
}
