/** Follow the site's own light or dark. */

// Words and loops, not expressions: these are looked for on every page before anybody asks.
const THEMES = {
  dark: 'dark', slate: 'dark', night: 'dark', navy: 'dark', coal: 'dark', ayu: 'dark', light: 'light', default: 'light', rust: 'light',
};
const AROUND = ['', 'theme', 'mode', 'color', 'scheme', 'is', 'v', 'quarto']; // `theme-dark`, `dark-mode`, `v-theme--dark`.
export const THEME_ATTRIBUTES = ['data-theme', 'data-md-color-scheme', 'data-bs-theme', 'data-color-mode', 'data-mode', 'class'];

/** Return the theme that one name says, or undefined. Of classes only those that name nothing else: `text-slate-500` is a colour. */
function themeOfName(name, isClass) {
  let found;
  for (const part of name.split('-')) {
    const theme = Object.hasOwn(THEMES, part) ? THEMES[part] : undefined;
    if (isClass && !theme && !AROUND.includes(part)) return undefined;
    // Classes are of many kinds: `default` says nothing there.
    if (theme === 'dark' || (theme && (!isClass || part === 'light'))) found = found === 'dark' ? found : theme;
  }
  return found;
}

/** Return `dark` or `light` as the page says it, or null where it leaves it to the reader's system. */
function themeOfPage() {
  for (const element of [document.documentElement, document.body]) {
    for (const attribute of THEME_ATTRIBUTES) {
      const value = element.getAttribute(attribute);
      if (!value) continue;
      const isClass = attribute === 'class';
      let found;
      for (const name of value.toLowerCase().replaceAll('\n', ' ').split(' ')) found = found === 'dark' ? found : themeOfName(name, isClass) ?? found;
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
