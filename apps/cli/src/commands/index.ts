import type { Command } from 'commander';
import { registerAnswer } from './answer';
import { registerBench } from './bench';
import { registerClassify } from './classify';
import { registerCompile } from './compile';
import { registerDiff } from './diff';
import { registerDoctor } from './doctor';
import { registerEmbed } from './embed';
import { registerEval } from './eval';
import { registerExportTransposeIr } from './export-transpose-ir';
import { registerInspect } from './inspect';
import { registerPipeline } from './pipeline';
import { registerProfile } from './profile';
import { registerPrune } from './prune';
import { registerQuantize } from './quantize';
import { registerRun } from './run';
import { registerRunExecutor } from './run-executor';
import { registerRunPipeline } from './run-pipeline';
import { registerSensitivity } from './sensitivity';
import { registerSparsity } from './sparsity';
import { registerTranspose } from './transpose';

/** Every command, one a file, in the order that help prints. */
export function addCommands(program: Command): void {
  for (const register of [
    registerPipeline,
    registerAnswer,
    registerClassify,
    registerEmbed,
    registerCompile,
    registerPrune,
    registerQuantize,
    registerTranspose,
    registerEval,
    registerBench,
    registerRun,
    registerInspect,
    registerSparsity,
    registerProfile,
    registerSensitivity,
    registerDiff,
    registerDoctor,
    registerRunExecutor,
    registerExportTransposeIr,
    registerRunPipeline,
  ]) {
    register(program);
  }
}
