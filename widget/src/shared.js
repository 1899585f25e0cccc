/** Give the console the modules that it shares with the widget. */
export { button, copy, growing, make } from './dom.js';
export { MarkdownView } from './markdown.js';
export { EventReader } from './sse.js';
