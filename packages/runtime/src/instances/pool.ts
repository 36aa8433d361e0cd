import { EngineError, type Tensor } from '@neural-engine/core';
import { bindFeeds, type Feeds } from '../feeds';
import type { Model } from '../model';
import type { Session } from '../session';
import { type Batching, batchingOf, batchKey, joinInputs, outputsOf } from './batch';
import { type Placement, type PlaceOptions, placeInstances } from './place';

export interface PoolOptions extends PlaceOptions {
  /** Sequences joined into one run at most. Default 8. */
  readonly maxBatch?: number;
  /** How long a request may wait for others to join it while an instance is free. Default 0: it starts at once. */
  readonly maxDelayMs?: number;
  /** Requests that may wait; further ones are refused with E_OVERLOAD. Default 64. */
  readonly maxQueue?: number;
  /** Bytes of inputs that may wait. Default 256 MiB. */
  readonly maxQueueBytes?: number;
  /** Time each request has from `run` to its answer, unless it says its own. Default: none. */
  readonly timeoutMs?: number;
}

export interface PoolRunOptions {
  readonly signal?: AbortSignal;
  /** Time from now to the answer; then the request ends with E_DEADLINE, and is not run if it still waits. */
  readonly timeoutMs?: number;
}

/** Counts since the pool was opened, and what it holds now. */
export interface PoolStatistics {
  readonly instances: number;
  readonly queued: number;
  /** Requests that are being computed. */
  readonly running: number;
  readonly answered: number;
  /** Refused with E_OVERLOAD. */
  readonly refused: number;
  /** Ended with E_DEADLINE. */
  readonly expired: number;
  readonly aborted: number;
  /** Runs of an instance; `answered / batches` is the mean batch in requests. */
  readonly batches: number;
}

/** A request that was accepted. It leaves the queue when an instance takes it, when it is aborted, or at its deadline. */
interface Request {
  readonly inputs: readonly Tensor[];
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly arrived: number;
  /** When its time is over, by `performance.now`. */
  readonly due: number;
  resolve(outputs: Record<string, Tensor>): void;
  /** Rejects, once, whatever it waits for. */
  fail(error: unknown): void;
  /** Ends it with E_DEADLINE. */
  expire(): void;
  /** Answered, failed, aborted or expired. */
  done: boolean;
  batch: Batch | undefined;
}

interface Batch {
  readonly requests: readonly Request[];
  readonly abort: AbortController;
}

const DEFAULTS = { maxBatch: 8, maxDelayMs: 0, maxQueue: 64, maxQueueBytes: 256 * 2 ** 20 };
/** Plans an instance keeps: batch sizes times padded lengths. */
const PLANS = 128;
/** 25 days. A timer that is to wait longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function checkLimit(name: keyof PoolOptions, value: number | undefined): void {
  const least = name === 'maxBatch' ? 1 : 0;
  if (value !== undefined && !(value >= least && (name.endsWith('Ms') || Number.isInteger(value))))
    throw new EngineError('E_USAGE', 'usage', `${name}: expected a number from ${least} on, got ${value}`, { where: name });
}

/**
 * Instances of one model behind one queue.
 *
 * Requests are answered oldest first. When an instance is free it takes the oldest request together with younger ones of its (padded)
 * length, up to `maxBatch` sequences. The queue is bounded: what does not fit is refused at once, so that what was accepted is answered soon.
 */
export class Pool implements AsyncDisposable {
  private readonly batching: Batching | undefined;
  private readonly limits: typeof DEFAULTS;
  private readonly idle: Session[];
  private readonly running = new Set<Batch>();
  private queue: Request[] = [];
  private queuedBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private draining: Promise<void> | undefined;
  private drained: (() => void) | undefined;
  private readonly counts = { answered: 0, refused: 0, expired: 0, aborted: 0, batches: 0 };

  private constructor(
    readonly model: Model,
    readonly placements: readonly Placement[],
    private readonly sessions: readonly Session[],
    private readonly options: PoolOptions,
  ) {
    this.batching = batchingOf(model);
    this.limits = { ...DEFAULTS, ...definedOf(options) };
    this.idle = [...sessions];
  }

  /**
   * Starts the instances.
   *
   * @throws {EngineError} E_USAGE options that make no sense, cores that this process may not use; E_LIMIT no threads can be had.
   */
  static async open(model: Model, options: PoolOptions = {}): Promise<Pool> {
    for (const name of ['maxBatch', 'maxQueue', 'maxQueueBytes', 'maxDelayMs', 'timeoutMs'] as const) checkLimit(name, options[name]);
    const placements = placeInstances(options);
    const sessions: Session[] = [];
    try {
      for (const { threads, cores, node } of placements)
        sessions.push(await model.session({ threads, cores, planCache: PLANS, ...(node === undefined ? {} : { node }) }));
    } catch (error) {
      await Promise.all(sessions.map((session) => session.close()));
      throw error;
    }
    return new Pool(model, placements, sessions, options);
  }

  get statistics(): PoolStatistics {
    let running = 0;
    for (const { requests } of this.running) running += requests.length;
    return { instances: this.sessions.length, queued: this.queue.length, running, ...this.counts };
  }

  /**
   * Computes the outputs for `feeds` on the next free instance, perhaps together with other requests; the answer does not depend on them.
   *
   * @throws {EngineError} E_REQUEST feeds that contradict the model; E_OVERLOAD the queue is full; E_DRAINING the pool takes no more;
   * E_DEADLINE, E_ABORTED; E_USAGE a time that is none.
   */
  async run(feeds: Feeds, options: PoolRunOptions = {}): Promise<Record<string, Tensor>> {
    const { signal } = options;
    checkLimit('timeoutMs', options.timeoutMs);
    if (this.draining) throw new EngineError('E_DRAINING', 'run', 'the pool is shutting down and takes no more requests');
    if (signal?.aborted) throw aborted(signal);
    // Copies, because the request may wait and its arrays are the caller's.
    const inputs = bindFeeds(this.model.inputs, feeds).map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
    const bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    if (this.idle.length === 0 || this.queue.length > 0) this.admit(bytes);
    return new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? this.options.timeoutMs;
      const settle = (): boolean => {
        if (request.done) return false;
        request.done = true;
        clearTimeout(deadline);
        signal?.removeEventListener('abort', onAbort);
        return true;
      };
      const expire = (): void =>
        this.leave(request, 'expired', new EngineError('E_DEADLINE', 'run', `no answer within the ${timeoutMs} ms that the request had`));
      const arrived = performance.now();
      const due = arrived + (timeoutMs ?? Number.POSITIVE_INFINITY);
      const request: Request = {
        inputs,
        key: batchKey(this.batching, inputs),
        rows: this.batching ? inputs[0]!.dims[0]! : 1,
        bytes,
        arrived,
        due,
        expire,
        done: false,
        batch: undefined,
        resolve: (outputs) => {
          // The timer may be behind: a process that was stopped hears first of runs that ended meanwhile.
          if (performance.now() > due) expire();
          if (!settle()) return;
          this.counts.answered++;
          resolve(outputs);
        },
        fail: (error) => {
          if (settle()) reject(error);
        },
      };
      const onAbort = (): void => this.leave(request, 'aborted', aborted(signal!));
      const deadline = due - arrived <= LONGEST_TIMER_MS ? setTimeout(expire, timeoutMs) : undefined;
      signal?.addEventListener('abort', onAbort, { once: true });
      this.queue.push(request);
      this.queuedBytes += bytes;
      this.dispatch();
    });
  }

  /** Takes no more requests; resolves when all that were accepted have their answer. */
  drain(): Promise<void> {
    if (this.draining) return this.draining;
    this.draining = new Promise((resolve) => {
      this.drained = resolve;
    });
    // Not before it is known to drain: requests wait for no others to join them now.
    this.dispatch();
    this.finishDraining();
    return this.draining;
  }

  /** Drains and ends the instances. Closing twice is fine. */
  async close(): Promise<void> {
    await this.drain();
    await Promise.all(this.sessions.map((session) => session.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private admit(bytes: number): void {
    const { maxQueue, maxQueueBytes } = this.limits;
    if (this.queue.length < maxQueue && this.queuedBytes + bytes <= maxQueueBytes) return;
    this.counts.refused++;
    const why = this.queue.length >= maxQueue ? `${maxQueue} requests` : `${this.queuedBytes} of ${maxQueueBytes} bytes`;
    throw new EngineError('E_OVERLOAD', 'run', `the queue is full (${why} wait); try again later`);
  }

  /** Ends a request early, wherever it is; a batch that nobody waits for any more is aborted. */
  private leave(request: Request, why: 'aborted' | 'expired', error: EngineError): void {
    if (request.done) return;
    this.counts[why]++;
    request.fail(error);
    if (request.batch) {
      if (request.batch.requests.every(({ done }) => done)) request.batch.abort.abort();
      return;
    }
    this.queue = this.queue.filter((other) => other !== request);
    this.queuedBytes -= request.bytes;
    this.finishDraining();
  }

  /** Gives free instances what waits. */
  private dispatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.expireOverdue();
    while (this.idle.length > 0 && this.queue.length > 0) {
      const chosen = this.choose();
      const full = chosen.reduce((sum, { rows }) => sum + rows, 0) >= this.limits.maxBatch;
      const waitMs = this.batching ? chosen[0]!.arrived + this.limits.maxDelayMs - performance.now() : 0;
      if (!full && waitMs > 0 && !this.draining) {
        this.timer = setTimeout(() => this.dispatch(), Math.min(waitMs, LONGEST_TIMER_MS));
        return;
      }
      void this.start(this.idle.pop()!, chosen);
    }
  }

  /** Ends what waited too long and whose timer has not been heard yet, so that no instance works for it. */
  private expireOverdue(): void {
    const now = performance.now();
    for (const request of this.queue) if (now > request.due) request.expire();
  }

  /** The oldest request, and those of its length that fit beside it. */
  private choose(): Request[] {
    const oldest = this.queue[0]!;
    const chosen = [oldest];
    let { rows } = oldest;
    if (!this.batching) return chosen;
    for (let i = 1; i < this.queue.length && rows < this.limits.maxBatch; i++) {
      const request = this.queue[i]!;
      if (request.key !== oldest.key || rows + request.rows > this.limits.maxBatch) continue;
      chosen.push(request);
      rows += request.rows;
    }
    return chosen;
  }

  private async start(session: Session, requests: readonly Request[]): Promise<void> {
    const taken = new Set(requests);
    this.queue = this.queue.filter((request) => !taken.has(request));
    const batch: Batch = { requests, abort: new AbortController() };
    for (const request of requests) {
      request.batch = batch;
      this.queuedBytes -= request.bytes;
    }
    this.running.add(batch);
    this.counts.batches++;
    try {
      this.answer(batch, await session.run(this.feedsOf(requests), { signal: batch.abort.signal }));
    } catch (error) {
      await this.answerOneByOne(session, batch, error);
    }
    this.running.delete(batch);
    this.idle.push(session);
    this.dispatch();
    this.finishDraining();
  }

  private feedsOf(requests: readonly Request[]): Feeds {
    const runs = requests.map(({ inputs }) => inputs);
    const inputs = this.batching ? joinInputs(this.batching, runs) : runs[0]!;
    return Object.fromEntries(this.model.inputs.map(({ name }, i) => [name, inputs[i]!]));
  }

  private answer({ requests }: Batch, outputs: Record<string, Tensor>): void {
    if (requests.length === 1 || !this.batching) {
      requests[0]!.resolve(outputs);
      return;
    }
    let first = 0;
    for (const request of requests) {
      const { rows, inputs } = request;
      const length = inputs[0]!.dims[1] ?? 0;
      if (!request.done) request.resolve(outputsOf(outputs, this.model, this.batching, { first, rows, length }));
      first += rows;
    }
  }

  /** A joined run failed, perhaps because of one request (a token id beyond the vocabulary): the others must not pay for it. */
  private async answerOneByOne(session: Session, batch: Batch, error: unknown): Promise<void> {
    if (batch.requests.length === 1) return batch.requests[0]!.fail(error);
    for (const request of batch.requests) {
      if (request.done) continue;
      await session.run(this.feedsOf([request]), { signal: batch.abort.signal }).then(request.resolve, request.fail);
    }
  }

  private finishDraining(): void {
    if (this.drained && this.queue.length === 0 && this.running.size === 0) this.drained();
  }
}

const aborted = (signal: AbortSignal): EngineError =>
  new EngineError('E_ABORTED', 'run', 'the request was aborted', { cause: signal.reason });

/** Options that say something, so that an explicit `undefined` means the default. */
const definedOf = (options: PoolOptions): Partial<typeof DEFAULTS> =>
  Object.fromEntries(
    Object.keys(DEFAULTS).flatMap((name) =>
      options[name as keyof typeof DEFAULTS] === undefined ? [] : [[name, options[name as keyof typeof DEFAULTS]]],
    ),
  );
