import { EngineError } from '@neural-engine/core';
import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, printTable } from '../context';
import { modelPath } from '../model-argument';
import { Outputs } from '../outputs';
import { TUNE_OPTION } from '../tune';

interface Flags extends OutputFlags {
  graph?: string;
  explain?: boolean;
  save?: string;
  tune?: string;
  force?: boolean;
}

export function registerInspect(program: Command): void {
  program
    .command('inspect [model]')
    .description('what is in a model: inputs, operators, weights, and a picture of the graph')
    .option('-g, --graph <form>', 'print the compiled graph as text, mermaid or dot')
    .option('--explain', 'print what each pass did, and what it declined and why')
    .option('--save <file>', 'write the graph there instead of to stdout')
    .option(...TUNE_OPTION)
    .option('--force', 'replace files that are there')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (model: string | undefined, flags: Flags) => {
      const { inspect, INSPECT_COLUMNS } = await import('../inspect');
      using outputs = await Outputs.claim([{ flag: '--save', path: flags.save }], [modelPath(model)], flags.force);
      const result = await inspect(modelPath(model), flags.tune);
      if (flags.graph) {
        const print = result.graph[flags.graph as keyof typeof result.graph];
        if (!print) throw new EngineError('E_USAGE', 'usage', `--graph ${flags.graph}: expected text, mermaid or dot`);
        await outputs.save(flags.save, print);
        if (flags.save === undefined) consoleIo.out(`${print()}\n`);
        return;
      }
      const format = formatOf(flags);
      if (format === 'text') consoleIo.out(`${result.lines.join('\n')}\n\n`);
      printTable(consoleIo, format, INSPECT_COLUMNS, result.rows, { schema: 'inspect', ...result.facts });
      if (flags.explain) consoleIo.err(`${result.explained}\n`);
    });
}
