import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Manifest } from '../packaging/workspace';

/** One version of a package as a registry describes it. */
interface Version extends Manifest {
  readonly dist: { readonly tarball: string; readonly integrity: string; readonly shasum: string };
}

/** What a registry answers about a package, and what a publisher sends. */
interface Packument {
  readonly name: string;
  readonly 'dist-tags': Record<string, string>;
  readonly versions: Record<string, Version>;
  readonly _attachments?: Record<string, { readonly data: string }>;
}

/**
 * A package registry on the loopback address, in memory: the requests of `npm publish`, `npm install` and pnpm's, and no more.
 *
 * It serves only what was published to it; package managers are told to ask it for one scope.
 */
export class Registry {
  private readonly packuments = new Map<string, Packument>();
  private readonly tarballs = new Map<string, Buffer>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => send(response, 500, { error: String(error) }));
    });
  }

  static async start(): Promise<Registry> {
    const registry = new Registry();
    await new Promise<void>((resolve) => registry.server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** Lines for an npmrc file that make npm and pnpm use this registry for packages of a scope. */
  settings(scope: string): string {
    // npm refuses to publish without a token; nobody checks this one.
    return `${scope}:registry=${this.url}\n//${new URL(this.url).host}/:_authToken=loopback\n`;
  }

  /** What is published: `name@version`, in the order in which it came. */
  get published(): readonly string[] {
    return [...this.packuments.values()].flatMap(({ name, versions }) => Object.keys(versions).map((version) => `${name}@${version}`));
  }

  /** The bytes of a tarball, as they are served. */
  tarball(name: string, version: string): Buffer {
    const found = this.tarballs.get(`${name}@${version}`);
    if (!found) throw new Error(`${name}@${version} was not published`);
    return found;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url!, this.url).pathname).slice(1);
    if (request.method === 'PUT') return send(response, ...this.publish(path, JSON.parse(await text(request)) as Packument));
    const [, name, version] = /^(@[^/]+\/[^/]+)\/-\/[^/]+?-(\d+\.\d+\.\d+[^/]*)\.tgz$/.exec(path) ?? [];
    const body = name === undefined ? this.packuments.get(path) : this.tarballs.get(`${name}@${version}`);
    if (request.method !== 'GET' || !body) return send(response, 404, { error: `${path} is not here` });
    send(response, 200, body);
  }

  /** @returns the status and the body of the answer. */
  private publish(name: string, sent: Packument): [number, object] {
    const known = this.packuments.get(name);
    const versions = { ...known?.versions };
    for (const [version, manifest] of Object.entries(sent.versions)) {
      if (known?.versions[version]) return [403, { error: `${name}@${version} is published already` }];
      const data = Object.values(sent._attachments ?? {})[0]?.data;
      if (data === undefined) return [400, { error: `${name}@${version} came without its tarball` }];
      this.tarballs.set(`${name}@${version}`, Buffer.from(data, 'base64'));
      const tarball = `${this.url}${name}/-/${name.split('/').at(-1)}-${version}.tgz`;
      versions[version] = { ...manifest, dist: { ...manifest.dist, tarball } };
    }
    this.packuments.set(name, { name, 'dist-tags': { ...known?.['dist-tags'], ...sent['dist-tags'] }, versions });
    return [201, { ok: true }];
  }
}

function send(response: ServerResponse, status: number, body: object | Buffer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json',
    'content-length': bytes.length,
  });
  response.end(bytes);
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
