// A question-answering service that never blocks the event loop: inference runs on the session's own threads, and a client that
// hangs up cancels its run. Start it with `node http-service.mjs 8080`, then
//   curl -s localhost:8080/answer -d '{"question":"Who wrote it?","context":"The book was written by Ada."}'
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { EngineError, load, pipeline } from '@neural-engine/engine';

const MAX_BODY = 1 << 20;

/** Starts the service. @returns the server and the function that ends it after the answers under way. */
export async function start(port, model = demoModelDirectory()) {
  const qa = await pipeline('question-answering', await load(model));

  const server = createServer(async (request, response) => {
    const reply = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url === '/health') return reply(200, { live: true });
    if (request.method !== 'POST' || request.url !== '/answer') return reply(404, { error: 'POST /answer' });
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) return reply(413, { error: `at most ${MAX_BODY} bytes` });
    const hangUp = new AbortController();
    response.on('close', () => hangUp.abort());
    try {
      const { question, context } = JSON.parse(await text(request));
      reply(200, await qa.answer(question, context, { signal: hangUp.signal }));
    } catch (error) {
      if (!response.writableEnded) reply(error instanceof SyntaxError || EngineError.isInstance(error) ? 400 : 500, { error: error.message });
    }
  });
  server.listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const stop = async () => {
    await new Promise((resolve) => server.close(resolve));
    await qa.close();
  };
  return { server, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { server } = await start(Number(process.argv[2] ?? 8080));
  console.log(`listening on http://127.0.0.1:${server.address().port}/answer`);
}
