import { EngineError } from '@neural-engine/core';
import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, positiveInteger, printTable } from '../context';
import { modelPath } from '../model-argument';
import { ROUNDING_OPTION, roundingOf } from '../rounding';

interface Flags extends OutputFlags {
  input?: string;
  batchSize: string;
  seqLen: string;
  rtol: string;
  atol: string;
  all?: boolean;
  rounding?: string;
}

export function registerDiff(program: Command): void {
  program
    .command('diff [model]')
    .description('compare with ONNX Runtime, tensor by tensor, at unmasked positions')
    .option('-i, --input <file>', 'inputs (.npz or JSON); default: random ids')
    .option('-b, --batch-size <n>', 'sequences of random inputs', '2')
    .option('-s, --seq-len <n>', 'tokens of random inputs', '48')
    .option('--rtol <x>', 'relative tolerance', '1e-3')
    .option('--atol <x>', 'absolute tolerance', '1e-5')
    .option('--all', 'also every tensor inside the model that both sides have')
    .option(...ROUNDING_OPTION)
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { diffWithOrt, DIFF_COLUMNS } = await import('../diff');
      const result = await diffWithOrt(modelPath(model), {
        ...(flags.input ? { input: flags.input } : {}),
        batch: positiveInteger('--batch-size', flags.batchSize),
        seqLen: positiveInteger('--seq-len', flags.seqLen),
        rtol: tolerance('--rtol', flags.rtol),
        atol: tolerance('--atol', flags.atol),
        inside: flags.all ?? false,
        ...roundingOf(flags.rounding),
      });
      printTable(consoleIo, formatOf(flags), DIFF_COLUMNS, result.rows, { schema: 'diff', agrees: result.agrees });
      consoleIo.err(result.agrees ? 'every output agrees\n' : 'outputs disagree\n');
      if (!result.agrees) process.exitCode = 1;
    });
}

function tolerance(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw new EngineError('E_USAGE', 'usage', `${flag} ${text}: expected a number from 0 on`);
  return value;
}
