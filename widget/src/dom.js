/** Make elements: text is set as text, never as HTML. */

export function make(tag, { text, run, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (run) made.addEventListener('click', run);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

export function button(text, run, attributes = {}) {
  return make('button', { type: 'button', text, run, ...attributes });
}

/** Keep plain keys from the site's own shortcuts, which take a text field in a shadow root for none; Ctrl+K is left to them. */
export function keepFromSite(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

/** Let a field grow with its text where the style `field-sizing` does not. Returns what to call when a script has set the text. */
export function growing(field) {
  if (CSS.supports('field-sizing', 'content')) return () => {};
  const fit = () => {
    field.style.height = '';
    if (field.scrollHeight > field.clientHeight) field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
  };
  field.addEventListener('input', fit);
  return fit;
}

/** Copy a text, and say so on the button for a moment. Where the browser does not allow it, select `shown` and tell. */
export async function copy(text, { pressed, shown, say, tell }) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages without https have no clipboard, and an owner or a reader may forbid it.
    getSelection().selectAllChildren(shown);
    tell(say('not_copied'));
    return;
  }
  tell('');
  pressed.textContent = say('copied');
  setTimeout(() => { pressed.textContent = say('copy'); }, 2000);
}
