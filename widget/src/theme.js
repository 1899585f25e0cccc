/** Follow the site's own light or dark. */

// Words, not expressions: these are looked for on every page before anybody asks.
const DARK = ['dark', 'slate', 'night', 'navy', 'coal', 'ayu'];
const LIGHT = ['light', 'default', 'rust'];
const AROUND = ['', 'theme', 'mode', 'color', 'scheme', 'is', 'v', 'quarto']; // `theme-dark`, `dark-mode`, `v-theme--dark`.
export const THEME_ATTRIBUTES = ['data-theme', 'data-md-color-scheme', 'data-bs-theme', 'data-color-mode', 'data-mode', 'class'];

/** Return the theme that a value says, or null. Of classes only those count that name nothing else: `text-slate-500` is a colour. */
function themeOfValue(value, isClass) {
  let found = null;
  for (const name of value.toLowerCase().replaceAll('\n', ' ').split(' ')) {
    const parts = name.split('-');
    if (isClass && !parts.every((part) => DARK.includes(part) || LIGHT.includes(part) || AROUND.includes(part))) continue;
    if (parts.some((part) => DARK.includes(part))) return 'dark';
    // Classes are of many kinds: `default` says nothing there.
    if (parts.some((part) => (isClass ? part === 'light' : LIGHT.includes(part)))) found = 'light';
  }
  return found;
}

/** Return `dark` or `light` as the page says it, or null where it leaves it to the reader's system. */
function themeOfPage() {
  for (const element of [document.documentElement, document.body]) {
    for (const attribute of THEME_ATTRIBUTES) {
      const value = element.getAttribute(attribute);
      if (!value) continue;
      const found = themeOfValue(value, attribute === 'class');
      if (found) return found;
    }
  }
  return null;
}

/**
 * Set `data-theme` on the host, now and whenever `show` is called: after each change of the page's own attributes.
 *
 * Where the page says nothing, the style asks the system until `saw` is called with the theme that the page is seen to have.
 */
export function followTheme(host, wanted) {
  let seen = null;
  const show = () => {
    const theme = ['light', 'dark'].includes(wanted) ? wanted : (themeOfPage() ?? seen);
    if (host.getAttribute('data-theme') === theme) return;
    if (theme) host.setAttribute('data-theme', theme);
    else host.removeAttribute('data-theme');
  };
  show();
  return { show, saw: (theme) => { seen = theme; show(); } };
}
