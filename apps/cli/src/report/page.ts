/** What makes a page of this tool look like one: nothing is loaded, it follows the reader's light or dark setting. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1d2330;--dim:#667085;--line:#d5dae3;--paper:#fff;--card:#f6f7fa;--s0:#2563eb;--s1:#d9480f;--s2:#0f8a5f;--s3:#9333ea;--s4:#b8860b;--s5:#0e7490;--s6:#be185d;--s7:#4d7c0f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9f0;--dim:#98a2b3;--line:#3a4252;--paper:#14171e;--card:#1c212b;--s0:#7aa7ff;--s1:#ff9a62;--s2:#4fd1a1;--s3:#c99bff;--s4:#e5c463;--s5:#67d3e8;--s6:#ff8ac0;--s7:#a8d66b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1240px;margin:2rem auto;padding:0 1.25rem}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.25rem 0 1rem}.dim{color:var(--dim)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}th{color:var(--dim);font-weight:600}
td.l,th.l{text-align:left}a{color:inherit}td.l:first-child{white-space:normal;overflow-wrap:anywhere;min-width:16rem}tr.best td{font-weight:700;background:var(--card)}
svg{max-width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .dim{fill:var(--dim)}svg .grid{stroke:var(--line);stroke-width:1}
section{border-top:1px solid var(--line);padding:1rem 0}section h2{margin:0 0 .2rem;overflow-wrap:anywhere}
figure{display:inline-block;margin:.4rem 1.2rem .4rem 0;vertical-align:top}figcaption{color:var(--dim);font-size:.8rem;overflow-wrap:anywhere}
.bar{display:inline-block;height:.8em;border-radius:2px;background:var(--s0);vertical-align:baseline}
`;

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '·');

/** A self-contained page; `body` is markup, `title` and `subtitle` are text. `style` is for what no other page has. */
export function page(title: string, subtitle: string, body: string, style = ''): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}${style}</style></head><body>
<h1>${escapeHtml(title)}</h1><p class="dim">${escapeHtml(subtitle)}</p>
${body}
</body></html>
`;
}

/** The colours of {@link STYLE}, for pictures that stand alone. */
export const SERIES = 8;
export const standaloneStyle = (): string =>
  `<style>svg{background:var(--paper)}${STYLE.slice(0, STYLE.indexOf('body{'))}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .dim{fill:var(--dim)}svg .grid{stroke:var(--line);stroke-width:1}</style>`;
