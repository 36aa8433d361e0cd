import { describe, expect, it } from 'vitest';
import { type AddedToken, AddedTokenMatcher } from './added-tokens';

const token = (id: number, content: string, flags: Partial<AddedToken> = {}): AddedToken => ({
  id,
  content,
  special: false,
  singleWord: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  ...flags,
});

function split(text: string, ...tokens: AddedToken[]): string[] {
  const sections = new AddedTokenMatcher(tokens).split(text);
  expect(sections.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
  return sections.map(({ start, end, token }) => (token ? `${token.id}:${text.slice(start, end)}` : text.slice(start, end)));
}

describe('added tokens', () => {
  it('are found leftmost first and longest at one place', () => {
    expect(split('x<a>b<a>', token(1, '<a>'), token(2, '<a>b'))).toEqual(['x', '2:<a>b', '1:<a>']);
    expect(split('aab', token(1, 'ab'), token(2, 'aa'))).toEqual(['2:aa', 'b']);
  });

  it('stand alone where they ask for it', () => {
    expect(split('ent entry (ent) éent ent', token(1, 'ent', { singleWord: true }))).toEqual([
      '1:ent',
      ' entry (',
      '1:ent',
      ') éent ',
      '1:ent',
    ]);
  });

  it('take the white space beside them along where they ask for it', () => {
    expect(split('a  <m>\t b', token(1, '<m>', { lstrip: true }))).toEqual(['a', '1:  <m>', '\t b']);
    expect(split('a  <m>\t b', token(1, '<m>', { rstrip: true }))).toEqual(['a  ', '1:<m>\t ', 'b']);
    expect(split('<m> <m>', token(1, '<m>', { lstrip: true, rstrip: true }))).toEqual(['1:<m> ', '1:<m>']);
  });

  it('are refused when empty or when two are spelled alike', () => {
    expect(() => new AddedTokenMatcher([token(1, '')])).toThrow(expect.objectContaining({ code: 'E_TOKENIZER' }));
    expect(() => new AddedTokenMatcher([token(1, 'x'), token(2, 'X')], (content) => content.toLowerCase())).toThrow(
      expect.objectContaining({ code: 'E_TOKENIZER' }),
    );
  });

  it('leave text without any of them whole', () => {
    expect(split('plain text', token(1, '<m>'))).toEqual(['plain text']);
    expect(split('', token(1, '<m>'))).toEqual([]);
  });
});
