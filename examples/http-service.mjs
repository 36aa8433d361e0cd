// A question-answering service that never blocks the event loop: inference runs on the threads of a pool, and a client that hangs up
// cancels its runs. The pool's queue is bounded: what does not fit is refused with 503 at once. Start it with `node http-service.mjs 8080`, then
//   curl -s localhost:8080/answer -d '{"question":"Who wrote it?","context":"The book was written by Ada."}'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { EngineError, load, pipeline } from '@neural-engine/engine';

const MAX_BODY = 1 << 20;
/** What a client may hear of, and the status that says so. Any other error is ours: the log gets it, the client gets 500. */
const STATUSES = { E_REQUEST: 400, E_LIMIT: 413, E_OVERLOAD: 503, E_DRAINING: 503, E_DEADLINE: 504 };

/** A request that is answered with a status other than 200. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The question and the text of a request; both are strings. */
async function read(request) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > MAX_BODY) throw new Refusal(413, `at most ${MAX_BODY} characters`);
  }
  try {
    const { question, context } = JSON.parse(body);
    if (typeof question === 'string' && typeof context === 'string') return { question, context };
  } catch {
    // Not JSON, or JSON that is no object: refused below.
  }
  throw new Refusal(400, 'expected {"question": "…", "context": "…"}');
}

/** The answer to a request that failed: status, headers and body. */
export function refusalOf(error) {
  if (error instanceof Refusal) return [error.status, {}, { error: error.message }];
  const status = EngineError.isInstance(error) ? STATUSES[error.code] : undefined;
  if (status === undefined) {
    console.error(error);
    return [500, {}, { error: 'internal error' }];
  }
  return [status, status === 503 ? { 'retry-after': '1' } : {}, { error: error.message, code: error.code }];
}

/**
 * Starts the service. `options` are those of the pool.
 * @returns the server and the function that ends it after the answers under way.
 */
export async function start(port, options = {}) {
  const model = await load(demoModelDirectory());
  const pool = await model.pool({ timeoutMs: 30_000, ...options });
  const qa = await pipeline('question-answering', model, { runner: pool });

  const server = createServer(async (request, response) => {
    const reply = (status, headers, body) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    if (request.url === '/health') return reply(200, {}, { live: true, ...pool.statistics });
    if (request.method !== 'POST' || request.url !== '/answer') return reply(404, {}, { error: 'POST /answer' });
    const hangUp = new AbortController();
    response.on('close', () => hangUp.abort());
    try {
      const { question, context } = await read(request);
      reply(200, {}, await qa.answer(question, context, { signal: hangUp.signal }));
    } catch (error) {
      if (!hangUp.signal.aborted) reply(...refusalOf(error)); // else nobody is listening any more
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    await new Promise((resolve) => server.close(resolve));
    await pool.close();
  };
  return { server, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { server, stop } = await start(Number(process.argv[2] ?? 8080));
  process.once('SIGTERM', stop).once('SIGINT', stop);
  console.log(`listening on http://127.0.0.1:${server.address().port}/answer`);
}
