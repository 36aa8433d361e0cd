import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Keeps a file, named by `NE_RUNNING_FILES`, that lists the test files which run right now: where to look when a run never ends. */
export default class RunningFiles implements Reporter {
  private readonly running = new Set<string>();

  onTestModuleStart(module: TestModule): void {
    this.running.add(module.moduleId);
    this.write();
  }

  onTestModuleEnd(module: TestModule): void {
    this.running.delete(module.moduleId);
    this.write();
  }

  private write(): void {
    const file = process.env['NE_RUNNING_FILES'];
    if (file) writeFileSync(file, [...this.running].join('\n'));
  }
}
