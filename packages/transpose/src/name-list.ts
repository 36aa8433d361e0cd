import { EngineError } from '@neural-engine/core';

/** Names of nodes, where `*` stands for any characters. */
export class NameList {
  private readonly patterns: readonly { readonly text: string; readonly matches: RegExp }[];

  constructor(
    private readonly title: string,
    names: readonly string[],
  ) {
    this.patterns = names.map((text) => ({ text, matches: patternOf(text) }));
  }

  has(name: string): boolean {
    return this.patterns.some(({ matches }) => matches.test(name));
  }

  /** @throws {EngineError} E_USAGE a pattern names none of the nodes: a typing error would otherwise pass unseen. */
  check(names: readonly string[]): void {
    for (const { text, matches } of this.patterns) {
      if (!names.some((name) => matches.test(name)))
        throw new EngineError('E_USAGE', 'transpose', `${this.title}: no product is named "${text}"`, { where: text });
    }
  }
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .split('*')
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('[^]*')}$`,
  );
