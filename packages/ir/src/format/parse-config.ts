import { createRequire } from 'node:module';
import { EngineError, LIMITS, type Limits } from '@neural-engine/core';
import type { CST, Document, YAMLMap, Node as YamlNode } from 'yaml';
import { FORMAT_VERSION, type IrConfig, type IrExtra, type IrOperator, type IrScalar, type IrTensor } from './config';

/** Names that mean something to JavaScript objects; no tensor or operator is called so. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype', '<<']);

const requireFromHere = createRequire(import.meta.url);
/** Loaded with the first file that is parsed: a model that comes packed needs none, and the parser takes 5 MB of each process. */
const loadYaml = (): typeof import('yaml') => requireFromHere('yaml');

/**
 * Reads conf.yaml.
 *
 * Plain YAML only: one document, no aliases, tags or merge keys, every key once, numbers exactly as written.
 * @throws {EngineError} E_IR with the line; E_LIMIT the file is too large; E_UNSUPPORTED a later format version.
 */
export function parseConfig(text: string, limits: Pick<Limits, 'yamlBytes' | 'yamlTokens'> = LIMITS): IrConfig {
  if (text.length > limits.yamlBytes)
    throw new EngineError('E_LIMIT', 'ir', `conf.yaml has ${text.length} characters, the limit is ${limits.yamlBytes}`);
  checkNesting(text);
  return new ConfigReader(text, limits).read();
}

/** Flow collections can nest without end; a scan finds that before a parser recurses. */
function checkNesting(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0) throw new EngineError('E_IR', 'ir', 'conf.yaml holds a NUL character');
    if (char === 0x5b || char === 0x7b) {
      if (++depth > LIMITS.nesting) throw new EngineError('E_LIMIT', 'ir', `conf.yaml nests collections more than ${LIMITS.nesting} deep`);
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
}

class ConfigReader {
  private readonly yaml = loadYaml();
  private readonly lines = new this.yaml.LineCounter();
  private readonly root: YAMLMap;

  constructor(
    text: string,
    private readonly limits: Pick<Limits, 'yamlTokens'>,
  ) {
    const document = this.parse(text);
    if (!this.yaml.isMap(document.contents)) throw new EngineError('E_IR', 'ir', 'conf.yaml: expected a mapping with the key "model"');
    this.root = document.contents as YAMLMap;
  }

  private parse(text: string): Document.Parsed {
    try {
      // The failsafe schema keeps every scalar as it is written. That keys are unique is checked by `entries`, in linear time.
      const composer = new this.yaml.Composer({ schema: 'failsafe', uniqueKeys: false, logLevel: 'error', resolveKnownTags: false });
      const [document, second] = composer.compose(this.tokens(text), true, text.length);
      if (second) this.failAt(second.range[0], 'there is a second document');
      for (const { pos, message } of document!.errors) this.failAt(pos[0], message);
      this.yaml.visit(document!, {
        Alias: (_, node) => this.fail(node, 'aliases are not allowed'),
        Node: (_, node) => {
          if (node.tag || ('anchor' in node && node.anchor)) this.fail(node, 'tags and anchors are not allowed');
        },
      });
      return document!;
    } catch (cause) {
      if (EngineError.isInstance(cause)) throw cause;
      throw new EngineError('E_IR', 'ir', `conf.yaml cannot be parsed: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }

  /** Counts words and signs as they come, and ends at the first that can stand nowhere: of errors, too, there can be very many. */
  private *tokens(text: string): Generator<CST.Token, void> {
    const parser = new this.yaml.Parser(this.lines.addNewLine);
    this.lines.addNewLine(0);
    let count = 0;
    for (const lexeme of new this.yaml.Lexer().lex(text)) {
      if (++count > this.limits.yamlTokens)
        throw new EngineError('E_LIMIT', 'ir', `conf.yaml has more than ${this.limits.yamlTokens} words and signs`);
      for (const token of parser.next(lexeme)) {
        if (token.type === 'error') this.failAt(token.offset, token.message);
        yield token;
      }
    }
    yield* parser.end();
  }

  read(): IrConfig {
    let model: YAMLMap | undefined;
    let extra: IrExtra | undefined;
    for (const [key, value, node] of this.entries(this.root)) {
      if (key === 'model') model = this.map(value, 'model');
      else if (key === 'neural_engine') extra = this.extra(this.map(value, key));
      else this.fail(node, `unknown key "${key}"`);
    }
    if (!model) this.fail(this.root, 'the key "model" is missing');
    let name = 'model';
    let operators: IrOperator[] | undefined;
    for (const [key, value, node] of this.entries(model!)) {
      if (key === 'name') name = this.scalar(value).text;
      else if (key === 'operator')
        operators = this.entries(this.map(value, key)).map(([operator, body]) => this.operator(operator, this.map(body, operator)));
      else this.fail(node, `unknown key "${key}" in model`);
    }
    if (!operators) this.fail(model!, 'the key "operator" is missing');
    return { name, operators: operators!, ...(extra ? { extra } : {}) };
  }

  private operator(name: string, body: YAMLMap): IrOperator {
    let type: string | undefined;
    let inputs: string[] = [];
    let outputs: IrTensor[] = [];
    let attributes: Map<string, IrScalar> | undefined;
    for (const [key, value, node] of this.entries(body)) {
      if (key === 'type') type = this.scalar(value).text;
      else if (key === 'input') inputs = this.entries(this.map(value, key)).map(([tensor]) => tensor);
      else if (key === 'output')
        outputs = this.entries(this.map(value, key)).map(([tensor, record]) => this.tensor(tensor, this.map(record, tensor)));
      else if (key === 'attr')
        attributes = new Map(this.entries(this.map(value, key)).map(([attribute, text]) => [attribute, this.scalar(text)]));
      else this.fail(node, `unknown key "${key}" in operator "${name}"`);
    }
    if (type === undefined) this.fail(body, `operator "${name}" has no type`);
    return { name, type: type!, inputs, outputs, ...(attributes ? { attributes } : {}) };
  }

  private tensor(name: string, body: YAMLMap): IrTensor {
    const record: { -readonly [K in keyof IrTensor]: IrTensor[K] } = { name };
    for (const [key, value, node] of this.entries(body)) {
      if (key === 'dtype') record.dtype = this.scalar(value).text;
      else if (key === 'shape') record.shape = this.integers(value, `shape of "${name}"`, -1);
      else if (key === 'strides') record.strides = this.integers(value, `strides of "${name}"`, 0);
      else if (key === 'location') {
        const [offset, length, ...rest] = this.integers(value, `location of "${name}"`, 0);
        if (offset === undefined || length === undefined || rest.length > 0)
          this.fail(node, `location of "${name}": expected [offset, length]`);
        record.location = [offset!, length!];
      } else this.fail(node, `unknown key "${key}" in tensor "${name}"`);
    }
    return record;
  }

  private extra(body: YAMLMap): IrExtra {
    const texts = new Map<string, string>();
    const shapes = new Map<string, string[]>();
    for (const [key, value, node] of this.entries(body)) {
      if (key === 'shapes')
        for (const [name, dims] of this.entries(this.map(value, key))) shapes.set(name, this.items(dims, `shape of "${name}"`));
      else if (['format_version', 'producer', 'weights_digest', 'weights_bytes'].includes(key)) texts.set(key, this.scalar(value).text);
      else this.fail(node, `unknown key "${key}" in neural_engine`);
    }
    const formatVersion = this.integer(body, texts.get('format_version') ?? '', 'format_version', 1);
    if (formatVersion > FORMAT_VERSION) {
      throw new EngineError(
        'E_UNSUPPORTED',
        'ir',
        `conf.yaml has format version ${formatVersion}; this reader knows up to ${FORMAT_VERSION}: update the package`,
      );
    }
    const weightsDigest = texts.get('weights_digest') ?? '';
    if (!/^[0-9a-f]{64}$/.test(weightsDigest)) this.fail(body, 'weights_digest must be 64 hexadecimal digits');
    return {
      formatVersion,
      producer: texts.get('producer') ?? '',
      weightsDigest,
      weightsBytes: this.integer(body, texts.get('weights_bytes') ?? '', 'weights_bytes', 0),
      shapes,
    };
  }

  private entries(map: YAMLMap): [string, YamlNode, YamlNode][] {
    const seen = new Set<string>();
    return map.items.map(({ key, value }) => {
      const keyNode = key as YamlNode;
      if (!this.yaml.isScalar(keyNode) || typeof keyNode.value !== 'string') this.fail(keyNode, 'keys must be plain names');
      const name = (keyNode as unknown as { value: string }).value;
      if (FORBIDDEN.has(name)) this.fail(keyNode, `"${name}" is not allowed as a key`);
      if (Buffer.byteLength(name) > LIMITS.nameBytes)
        throw new EngineError('E_LIMIT', 'ir', `a name has more than ${LIMITS.nameBytes} bytes`);
      if (seen.has(name)) this.fail(keyNode, `the key "${name}" is there twice`);
      seen.add(name);
      if (value === null || value === undefined) this.fail(keyNode, `"${name}" has no value`);
      return [name, value as YamlNode, keyNode];
    });
  }

  private map(node: YamlNode, what: string): YAMLMap {
    if (!this.yaml.isMap(node)) this.fail(node, `"${what}" must be a mapping`);
    return node as YAMLMap;
  }

  private scalar(node: YamlNode): IrScalar {
    if (!this.yaml.isScalar(node) || typeof node.value !== 'string') this.fail(node, 'expected a single value');
    const { value, type } = node as unknown as { value: string; type?: string };
    return { text: value, quoted: type === 'QUOTE_SINGLE' || type === 'QUOTE_DOUBLE' };
  }

  private items(node: YamlNode, what: string): string[] {
    if (!this.yaml.isSeq(node)) this.fail(node, `${what} must be a list`);
    return (node as unknown as { items: YamlNode[] }).items.map((item) =>
      this.yaml.isAlias(item) ? this.fail(item, 'aliases are not allowed') : this.scalar(item).text,
    );
  }

  private integers(node: YamlNode, what: string, least: number): number[] {
    return this.items(node, what).map((text) => this.integer(node, text, what, least));
  }

  private integer(node: YamlNode, text: string, what: string, least: number): number {
    const value = Number(text);
    if (!/^-?(0|[1-9]\d*)$/.test(text) || !Number.isSafeInteger(value) || value < least)
      this.fail(node, `${what}: "${text}" is no whole number from ${least} on`);
    return value;
  }

  private fail(node: YamlNode, message: string): never {
    const offset = node.range?.[0];
    if (offset === undefined) throw new EngineError('E_IR', 'ir', `conf.yaml: ${message}`);
    this.failAt(offset, message);
  }

  private failAt(offset: number, message: string): never {
    throw new EngineError('E_IR', 'ir', `conf.yaml, line ${this.lines.linePos(offset).line}: ${message.split('\n')[0]}`);
  }
}
