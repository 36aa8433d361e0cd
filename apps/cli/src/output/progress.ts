import { SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

/**
 * Progress on stderr: a bar with the time left on a terminal, else a line for each tenth. `total` undefined shows a plain count.
 */
export function progress(title: string, total: number, show = process.stderr.isTTY === true): Progress {
  if (!show) {
    let shown = 0;
    return {
      update(done) {
        const tenth = Math.floor((done / Math.max(total, 1)) * 10);
        if (tenth > shown) {
          shown = tenth;
          process.stderr.write(`${title}: ${tenth * 10}%\n`);
        }
      },
      stop() {},
    };
  }
  const bar = new SingleBar({
    format: `${title} {bar} {percentage}% │ {value}/{total} │ {eta_formatted} left`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 28,
    hideCursor: true,
    // Its own handlers of signals would keep the process alive.
    gracefulExit: false,
    clearOnComplete: true,
    stream: process.stderr,
  });
  // Also when a signal ends the process: a terminal without its cursor is a nuisance.
  const stop = (): void => {
    process.off('exit', stop);
    bar.stop();
  };
  process.on('exit', stop);
  bar.start(total, 0);
  return { update: (done) => bar.update(done), stop };
}
