import type { Command } from 'commander';
import { consoleIo } from '../context';
import { readText } from '../files';
import { modelPath } from '../model-argument';
import { Outputs } from '../outputs';
import { ROUNDING_OPTION, roundingOf } from '../rounding';

interface Flags {
  output: string;
  force?: boolean;
  explain?: boolean;
  patternSwitch?: string;
  rounding?: string;
}

export function registerCompile(program: Command): void {
  program
    .command('compile [model]')
    .description('ONNX to IR: fuse into engine operators and save conf.yaml and model.bin')
    .requiredOption('-o, --output <folder>', 'where to save the IR')
    .option('--force', 'replace what is there')
    .option('--explain', 'print what each pass did, and what it declined and why')
    .option('--pattern-switch <file>', 'YAML file that turns passes on or off')
    .option(...ROUNDING_OPTION)
    .action(async (model: string | undefined, flags: Flags) => {
      const { compileModel, explainer, formatReport, parsePatternSwitch, writeIr } = await import('@neural-engine/engine');
      const rounding = roundingOf(flags.rounding);
      const wanted = { flag: '--output', path: flags.output, kind: 'folder' } as const;
      using outputs = await Outputs.claim([wanted], [modelPath(model), flags.patternSwitch], flags.force);
      const told = explainer();
      const parsed = flags.patternSwitch ? parsePatternSwitch(await readText(flags.patternSwitch)) : undefined;
      for (const warning of parsed?.warnings ?? []) consoleIo.err(`${warning}\n`);
      const graph = await compileModel(modelPath(model), {
        explain: told.explain,
        ...(parsed ? { patternSwitch: parsed.switches } : {}),
        ...rounding,
      });
      await writeIr(graph, flags.output, outputs.how(flags.output));
      if (flags.explain) consoleIo.err(`${formatReport(told.report())}\n`);
      consoleIo.err(`saved ${graph.nodes.length} operators to ${flags.output}\n`);
    });
}
