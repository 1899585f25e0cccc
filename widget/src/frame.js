/** Make the panel's elements: its head, the talk, and the field for a question. */
import { button, growing, keepFromSite, make } from './dom.js';

/** Return the elements, and `fitField` to call when a script has set the field's text. `run` says what the buttons do. */
export function makeFrame({ say, config, isPage }, run) {
  const title = make('h2', { id: 'title', dir: 'auto', text: config.title || say('ask_book') });
  const close = button('✕', run.close, { 'aria-label': say('close'), part: 'close' });
  const anew = button(say('new_talk'), run.beginAnew, { hidden: true });
  const examples = make('div', { class: 'examples' });
  const welcome = make('div', {}, make('p', { class: 'intro', text: say('intro') }), examples);
  const log = make('div', { role: 'log', 'aria-live': 'off', 'aria-label': say('ask_book') });
  const talk = make('div', { class: 'talk', tabindex: '0', role: 'group', 'aria-labelledby': 'title' }, welcome, log);
  const live = make('div', { class: 'unseen', role: 'status' });
  const { form, ...asking } = makeForm(say, config, run);
  const panel = make('section', {
    class: isPage ? 'panel page' : 'panel', part: 'panel', hidden: true, 'aria-labelledby': 'title', role: isPage ? null : 'dialog',
  }, make('div', { class: 'head' }, title, anew, ...(isPage ? [] : [close])), talk, form, live);
  panel.addEventListener('keydown', run.key);
  for (const event of ['keyup', 'keypress']) panel.addEventListener(event, keepFromSite);
  return { title, anew, examples, welcome, log, talk, live, panel, ...asking };
}

function makeForm(say, config, run) {
  const field = make('textarea', { rows: 2, 'aria-label': say('question'), placeholder: say('question'), dir: 'auto', enterkeyhint: 'send', part: 'question' });
  const fitField = growing(field);
  const send = make('button', { class: 'send', text: say('send'), part: 'send' });
  const stopButton = button(say('stop'), run.stop, { class: 'send', hidden: true });
  const tooLong = make('p', { class: 'note', role: 'alert', hidden: true });
  const chipText = make('span', { dir: 'auto' });
  const chipNote = make('b', { hidden: true });
  const chip = make('div', { class: 'chip', hidden: true },
    make('p', {}, make('b', { text: say('from_selection') }), chipNote, chipText),
    button('✕', run.removeSelection, { 'aria-label': say('remove_selection') }));
  const form = make('form', { class: 'ask' }, chip, make('div', { class: 'row' }, field, send, stopButton), tooLong);
  if (config.privacy) {
    const line = config.privacyUrl ? make('a', { href: config.privacyUrl, text: config.privacy, target: '_top' }) : config.privacy;
    form.append(make('p', { class: 'privacy' }, line));
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run.ask();
  });
  field.addEventListener('keydown', (event) => {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    run.ask();
  });
  /** Say that the question is too long, if it is; a field that takes no more would cut what is pasted without a word. */
  const isTooLong = () => {
    const most = run.mostChars();
    const isLonger = [...field.value.trim()].length > most;
    if (isLonger === tooLong.hidden) { // Said once, and not at each key.
      tooLong.hidden = !isLonger;
      tooLong.textContent = isLonger ? say('t_too_long', { n: most.toLocaleString(config.language) }) : '';
      field.setAttribute('aria-invalid', String(isLonger));
    }
    return isLonger;
  };
  field.addEventListener('input', isTooLong);
  return { form, field, fitField, isTooLong, send, stopButton, chip, chipText, chipNote };
}
