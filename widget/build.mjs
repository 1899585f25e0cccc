/** Build the widget: `node build.mjs [FOLDER]` writes it to FOLDER, by default ../static/widget. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.argv[2] ?? join(here, '../static/widget');
const common = { bundle: true, minify: true, target: 'es2022', charset: 'utf8', absWorkingDir: here, legalComments: 'none' };

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'assets'), { recursive: true });

const wordFiles = {};
const labels = []; // A line a language: one text is read faster than many.
for (const file of readdirSync(join(here, 'words')).sort()) {
  const language = basename(file, '.json');
  const words = JSON.parse(readFileSync(join(here, 'words', file), 'utf8'));
  labels.push([language, words.ask_book, words.ask_about_this].join('|'));
  if (language === 'en') continue; // The panel has these within.
  const text = JSON.stringify(words);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  wordFiles[language] = `${language}-${hash}.json`;
  writeFileSync(join(out, 'assets', wordFiles[language]), text);
}

const panel = await build({
  ...common,
  entryPoints: ['src/panel.js'],
  format: 'esm',
  outdir: join(out, 'assets'),
  entryNames: '[name]-[hash]',
  define: { WORD_FILES: JSON.stringify(wordFiles) },
  metafile: true,
});
const panelFile = basename(Object.keys(panel.metafile.outputs)[0]);

await build({
  ...common,
  entryPoints: ['src/entry.js'],
  format: 'iife',
  outfile: join(out, 'widget.js'),
  banner: { js: '//# allFunctionsCalledOnLoad' }, // V8 compiles them while they are loaded, on another thread.
  define: { PANEL_FILE: JSON.stringify(panelFile), LABELS: JSON.stringify(labels.join('\n')) },
});

// The same under a name that never changes its content: a tag with `integrity` needs one.
const entry = readFileSync(join(out, 'widget.js'));
const pinned = `widget-${createHash('sha256').update(entry).digest('hex').slice(0, 8)}.js`;
copyFileSync(join(out, 'widget.js'), join(out, 'assets', pinned));
if (!process.argv[2]) {
  const docs = join(here, '../docs/widget.md');
  const tag = `widget/assets/${pinned}" integrity="sha384-${createHash('sha384').update(entry).digest('base64')}"`;
  writeFileSync(docs, readFileSync(docs, 'utf8').replace(/widget\/assets\/widget-\w+\.js"\s+integrity="[^"]*"/, tag));
}

await build({ ...common, entryPoints: ['src/shared.js'], format: 'esm', outfile: join(out, 'shared.js') });
