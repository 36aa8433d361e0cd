import type { Command } from 'commander';
import { consoleIo, formatOf, type OutputFlags, printTable } from '../context';
import { VERSION } from '../version';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this CPU and this installation can do')
    .option('-o, --output <form>', 'text, md, json, jsonl or csv', 'text')
    .option('--json', 'the same as --output json')
    .action(async (flags: OutputFlags) => {
      const { doctor } = await import('../doctor');
      const { rows, facts } = doctor(VERSION);
      printTable(
        consoleIo,
        formatOf(flags),
        [
          { key: 'what', title: 'what' },
          { key: 'found', title: 'found', align: 'left' },
          { key: 'means', title: 'what follows' },
        ],
        rows,
        facts,
      );
    });
}
