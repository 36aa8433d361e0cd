import { Command, CommanderError } from 'commander';
import { addCommands } from './commands/index';
import { endOnSignals } from './interrupt';
import { reportError } from './report-error';
import { VERSION } from './version';

// `| head` closes the pipe early: that is the reader's right, not an error.
const onStdoutError = (error: NodeJS.ErrnoException): never => process.exit(error.code === 'EPIPE' ? 0 : 74);
const onStderrError = (): void => {};

/** Runs the command line and sets the exit code. */
export async function run(args: readonly string[]): Promise<void> {
  process.stdout.off('error', onStdoutError).on('error', onStdoutError);
  process.stderr.off('error', onStderrError).on('error', onStderrError);
  endOnSignals();
  const [json, debug] = [args.includes('--json'), args.includes('--debug')];
  const program = new Command('ne')
    .description(
      'Compile, quantize and run compressed Transformer encoders on the CPU.\n\nExample:\n  ne answer "Who wrote it?" --context text.txt',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .option('--debug', 'print stacks of errors')
    .helpOption('-h, --help', 'print help')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        const message = text
          .replace(/^error: /, '')
          .trimEnd()
          .replaceAll('\n', ' ');
        write(json ? `${JSON.stringify({ error: { code: 'E_USAGE', stage: 'usage', message } })}\n` : `error[E_USAGE] usage: ${message}\n`);
      },
    });
  addCommands(program);
  try {
    await program.parseAsync(args as string[], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    process.exitCode = reportError(error, { json, debug });
  }
}
