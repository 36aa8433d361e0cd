import { EngineError, type TypedArray } from '@neural-engine/core';
import { calling, toEngineError } from './errors';
import type { NativeSession as Handle } from './generated/binding';
import { native } from './load';
import { toRunProfile } from './profile';
import type { Program } from './program';
import type { RunOptions, RunProfile, SessionOptions } from './types';

/** A run whose outcome JavaScript still waits for. It keeps the native session alive, not the other way round. */
interface Pending {
  readonly handle: Handle;
  readonly program: Program;
  readonly outputs: TypedArray[];
  readonly settle: () => void;
  readonly resolve: (profile: RunProfile | undefined) => void;
  readonly reject: (error: EngineError) => void;
}

/** What the native session calls back into; it must not refer to the session object, so that a forgotten one can be collected. */
class Mailbox {
  readonly pending = new Map<number, Pending>();
  onClosed: (() => void) | undefined;

  readonly receive = (id: number): void => {
    const run = this.pending.get(id);
    if (!run) {
      this.onClosed?.();
      return;
    }
    this.pending.delete(id);
    run.settle();
    try {
      const profile = run.handle.collect(id, run.program.native, run.outputs);
      run.resolve(profile ? toRunProfile(profile) : undefined);
    } catch (error) {
      run.reject(toEngineError(error, 'run'));
    }
  };
}

/** Threads and memory that run programs, one after the other, off the main thread. */
export class NativeSession implements AsyncDisposable {
  private readonly handle: Handle;
  private readonly mailbox = new Mailbox();
  private closing: Promise<void> | undefined;

  /** @throws {EngineError} E_USAGE bad options; E_LIMIT no thread can be had; E_ISA no native library. */
  constructor(options: SessionOptions = {}) {
    const { threads, cores, node } = options;
    const whole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31;
    if (threads !== undefined && !whole(threads)) {
      throw new EngineError('E_USAGE', 'usage', `threads: expected a whole number, got ${threads}`, { where: 'threads' });
    }
    if (node !== undefined && !whole(node))
      throw new EngineError('E_USAGE', 'usage', `node: expected a whole number, got ${node}`, { where: 'node' });
    const bad = cores?.find((core) => !whole(core));
    if (bad !== undefined) throw new EngineError('E_USAGE', 'usage', `cores: ${bad} is no CPU number`, { where: 'cores' });
    const { cores: _, ...rest } = options;
    const settings = { ...rest, ...(cores ? { cores: [...cores] } : {}) };
    this.handle = calling('load', () => new (native().NativeSession)(settings, this.mailbox.receive));
  }

  /** Threads that compute, after what the system granted. */
  get threads(): number {
    return this.handle.threads;
  }

  /** The NUMA node that memory comes from: the one asked for, or undefined where the system refused or none was asked for. */
  get node(): number | undefined {
    return this.handle.node ?? undefined;
  }

  /** Runs that were started and have not ended. */
  get pending(): number {
    return this.mailbox.pending.size;
  }

  /**
   * Queues a run. The inputs are copied before this returns; the outputs are written when the promise resolves, and not otherwise.
   *
   * @param inputs   one typed array for each input of the program, of exactly its length; an s64 input also takes an Int32Array.
   * @param outputs  one typed array for each output, of exactly its length; no two may share memory.
   * @returns        the profile when asked for.
   * @throws {EngineError} E_USAGE arrays that do not fit (detached ones too) or a closed session; E_REQUEST data that contradicts the model, such as a token id beyond the vocabulary; E_ABORTED; E_LIMIT.
   */
  async run(
    program: Program,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    options: RunOptions = {},
  ): Promise<RunProfile | undefined> {
    const { signal, profile = false } = options;
    // Found out behind the submission, nobody would collect the run, and the process would wait for it for ever.
    if (signal !== undefined && typeof signal?.addEventListener !== 'function')
      throw new EngineError('E_USAGE', 'run', 'signal: expected an AbortSignal', { where: 'signal' });
    if (signal?.aborted) throw aborted(signal);
    const targets = [...outputs];
    const { handle, mailbox } = this;
    const id = calling('run', () => handle.submit(program.native, [...inputs], targets, profile));
    return new Promise((resolve, reject) => {
      const cancel = (): void => handle.cancel(id);
      signal?.addEventListener('abort', cancel, { once: true });
      const settle = (): void => signal?.removeEventListener('abort', cancel);
      const fail = (error: EngineError): void => reject(error.code === 'E_ABORTED' && signal ? aborted(signal) : error);
      mailbox.pending.set(id, { handle, program, outputs: targets, settle, resolve, reject: fail });
    });
  }

  /** Takes no more runs, finishes those queued and ends the threads. Closing twice is fine. */
  close(): Promise<void> {
    const { handle, mailbox } = this;
    this.closing ??= new Promise((resolve) => {
      mailbox.onClosed = () => {
        // Native code refers to the mailbox: what it still held would never be collected.
        mailbox.onClosed = undefined;
        handle.closed();
        resolve();
      };
      handle.close();
    });
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const aborted = (signal: AbortSignal): EngineError => new EngineError('E_ABORTED', 'run', 'the run was aborted', { cause: signal.reason });
