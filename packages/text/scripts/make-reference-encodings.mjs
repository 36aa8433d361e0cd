/**
 * Writes src/tokenizer/__fixtures__/reference-encodings.json: what the reference implementation makes of texts that are easy to get wrong.
 *
 * Usage: node scripts/make-reference-encodings.mjs PACKAGE TOKENIZER_JSON
 * PACKAGE is the npm package `tokenizers` (0.23), installed anywhere; TOKENIZER_JSON that of the demo model.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [packageFolder, tokenizerJson] = process.argv.slice(2);
if (tokenizerJson === undefined) throw new Error('usage: node scripts/make-reference-encodings.mjs PACKAGE TOKENIZER_JSON');
const { Tokenizer } = createRequire(import.meta.url)(resolve(packageFolder));

const texts = [
  ['Super Bowl 50 was an American football game.'],
  ['Which team won?', 'The Broncos defeated the Panthers 24–10 on February 7, 2016.'],
  ['naïve façade, Ångström — “quotes” … don’t'],
  ['İstanbul STRASSE Straße ΑΣ ΣΑΣ ﬁne ǅ'],
  ['北京 is 中国的 capital; 東京タワー 서울 กรุงเทพ'],
  ['𝒳𝓎 😀👩‍👩‍👧 🇩🇪 𠀀 a😀b'],
  ['e\u0301e\u0323\u0301 \u0301a \u1e9b\u0323 \u0344'],
  ['tab\tnew\nline\rreturn\u00a0nbsp\u2028sep\u3000wide\u200bzero\u200djoin\ufeffbom'],
  ['null\u0000 bell\u0007 del\u007f soft\u00adhyphen repl\ufffd priv\ue000'],
  ['later marks: a\u2e52b a\u061db a\u1ac1b a\u08e2b a\u{10eab}b'],
  ['[MASK] [mask] [CLS][SEP] [PAD]x [UNK]'],
  ['$5.00 + 3% = ^_^ `code` ~|~ <tag> a\\b'],
  ['a'.repeat(100), 'b'.repeat(101)],
  ['हिन्दी ภาษาไทย العربية עברית ქართული Ελληνικά'],
  ['\u115f\u1160 가각힣 \u302e\u302f half ｱｶﾞ Ａｂｃ'],
  ['supercalifragilisticexpialidocious antidisestablishmentarianism'],
  ['   leading', 'trailing   '],
  ['', ''],
];

const tokenizer = Tokenizer.fromString(readFileSync(tokenizerJson, 'utf8'));
const cases = [];
for (const [text, pair = null] of texts) {
  for (const maxLength of [null, 9]) {
    if (maxLength === null) tokenizer.disableTruncation();
    else tokenizer.setTruncation(maxLength, {});
    const encoding = await tokenizer.encode(text, pair);
    cases.push({ text, pair, maxLength, ids: encoding.getIds(), typeIds: encoding.getTypeIds(), codePointOffsets: encoding.getOffsets() });
  }
}
const out = fileURLToPath(new URL('../src/tokenizer/__fixtures__/reference-encodings.json', import.meta.url));
writeFileSync(out, `[\n${cases.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`);
