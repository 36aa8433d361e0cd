import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Runs a program as a reader would: plain Node, the built packages. */
async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  return stdout;
}

describe('the examples of packages alone', () => {
  it('the parser counts the operators and the weights of a model', async () => {
    const printed = await run('onnx-alone.mjs');
    expect(printed).toMatch(/^main_graph: IR version 8, opset 14$/m);
    expect(printed).toMatch(/^input input_ids \[batch, sequence\]$/m);
    expect(printed).toMatch(/^43\.1 MiB of weights$/m);
  });
  it('the IR infers a shape and reads back what it wrote', async () => {
    expect(await run('ir-alone.mjs')).toMatch(/y has shape \[batch, 2\]\n$/);
  });
  it('the sparse and the dense kernel give the same sums', async () => {
    expect(await run('kernels-alone.mjs')).toMatch(/both give the same sums\n$/);
  });
});

describe('the service', () => {
  const context = 'The old stone bridge was designed by Martha Keane. It was opened in 1921 and carries the road to Aldwick.';
  const question = 'Who designed the bridge?';
  let service: ChildProcess;
  let url: string;

  beforeAll(async () => {
    service = spawn(process.execPath, ['http-service.mjs', '0'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(service.stdout!), 'line')) as [string];
    url = line.replace('listening on ', '');
  });
  afterAll(() => {
    service.kill('SIGKILL');
  });

  const post = (body: string): Promise<Response> => fetch(url, { method: 'POST', body });

  it('answers a question about a text, and says where', async () => {
    const response = await post(JSON.stringify({ question, context }));
    expect(response.status).toBe(200);
    const { answer, score, start, end } = (await response.json()) as { answer: string; score: number; start: number; end: number };
    expect(answer).toBe('Martha Keane');
    expect(context.slice(start, end)).toBe(answer);
    expect(score).toBeGreaterThan(0);
  });
  it('refuses other addresses with 404 and other bodies with 400', async () => {
    expect((await fetch(new URL('/nowhere', url))).status).toBe(404);
    for (const body of ['{', '{}', 'null', '[]', '{"question": 1, "context": 2}']) expect((await post(body)).status, body).toBe(400);
  });
  it('refuses a body beyond its limit with 413, also one of unknown length', async () => {
    const chunks = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1 << 18).fill(32)) });
    const options: RequestInit & { duplex: 'half' } = { method: 'POST', body: chunks, duplex: 'half' };
    // The service may end the connection while the client still sends.
    const status = await fetch(url, options).then(
      (response) => response.status,
      () => 413,
    );
    expect(status).toBe(413);
  });
  it('goes on answering after a client hangs up in the middle', async () => {
    const abandoned = request(url, { method: 'POST' });
    abandoned.on('error', () => undefined);
    abandoned.end(JSON.stringify({ question, context: context.repeat(100) }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    abandoned.destroy();
    const response = await post(JSON.stringify({ question, context }));
    expect(((await response.json()) as { answer: string }).answer).toBe('Martha Keane');
  });
  it('lets timers fire while it computes', async () => {
    const program = `
      import { start } from './http-service.mjs';
      const { server, stop } = await start(0);
      const body = JSON.stringify({ question: ${JSON.stringify(question)}, context: ${JSON.stringify(context)}.repeat(60) });
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      const response = await fetch('http://127.0.0.1:' + server.address().port + '/answer', { method: 'POST', body });
      clearInterval(timer);
      console.log(response.status, ticks);
      await stop();`;
    const [status, ticks] = (await run('--input-type=module', '-e', program)).trim().split(' ').map(Number);
    expect(status).toBe(200);
    // Were the loop blocked, it would turn a few times for the connection and no more.
    expect(ticks).toBeGreaterThan(10);
  });
  it('refuses with 503 what its queue has no room for, and says when to come back', async () => {
    const program = `
      import { start } from './http-service.mjs';
      const { server, stop } = await start(0, { instances: 1, maxQueue: 0 });
      const base = 'http://127.0.0.1:' + server.address().port;
      const [question, context] = ${JSON.stringify([question, context])};
      const post = (body, signal) => fetch(base + '/answer', { method: 'POST', body: JSON.stringify(body), signal });
      const hangUp = new AbortController();
      const long = post({ question, context: context.repeat(4000) }, hangUp.signal).catch(() => undefined);
      while ((await (await fetch(base + '/health')).json()).running === 0);
      const refused = await post({ question, context });
      console.log(refused.status, refused.headers.get('retry-after'), (await refused.json()).code);
      hangUp.abort();
      await long;
      await stop();`;
    expect(await run('--input-type=module', '-e', program)).toBe('503 1 E_OVERLOAD\n');
  });
  it('calls nothing the fault of a client that is not', async () => {
    const program = `
      import { EngineError } from '@neural-engine/engine';
      import { refusalOf } from './http-service.mjs';
      console.error = () => {};
      const codes = ['E_REQUEST', 'E_DEADLINE', 'E_DRAINING', 'E_INTERNAL', 'E_MODEL'];
      const told = codes.map((code) => refusalOf(new EngineError(code, 'run', 'secret')));
      for (const [status, , { error }] of [...told, refusalOf(new TypeError('secret'))]) console.log(status, error);`;
    const internal = '500 internal error\n'.repeat(3);
    expect(await run('--input-type=module', '-e', program)).toBe(`400 secret\n504 secret\n503 secret\n${internal}`);
  });
  it('ends by itself when asked to', async () => {
    service.kill('SIGTERM');
    expect(await once(service, 'exit')).toEqual([0, null]);
  });
});
