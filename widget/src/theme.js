/** Follow the site's own light or dark. */

const DARK = /(^|[\s-])(dark|slate|night|navy|coal|ayu)($|[\s-])/;
const LIGHT = /(^|[\s-])(light|default|rust)($|[\s-])/;
const ATTRIBUTES = ['data-theme', 'data-md-color-scheme', 'data-bs-theme', 'data-color-mode', 'data-mode', 'class'];

/** Return `dark` or `light` as the page says it, or null where it leaves it to the reader's system. */
function themeOfPage() {
  for (const element of [document.documentElement, document.body]) {
    for (const attribute of ATTRIBUTES) {
      const value = element?.getAttribute(attribute)?.toLowerCase() ?? '';
      if (attribute === 'class' && /\blight\b/.test(value) && !/\b(navy|coal|ayu|dark)\b/.test(value)) return 'light';
      if (DARK.test(value)) return 'dark';
      if (attribute !== 'class' && LIGHT.test(value)) return 'light';
    }
  }
  return null;
}

/** Set `data-theme` on the host, now and whenever the page changes its own. */
export function followTheme(host, wanted) {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    const theme = ['light', 'dark'].includes(wanted) ? wanted : (themeOfPage() ?? (system.matches ? 'dark' : 'light'));
    if (host.dataset.theme !== theme) host.dataset.theme = theme;
  };
  show();
  system.addEventListener('change', show);
  const observer = new MutationObserver(show);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ATTRIBUTES });
  const watchBody = () => observer.observe(document.body, { attributes: true, attributeFilter: ATTRIBUTES });
  if (document.body) watchBody();
  else document.addEventListener('DOMContentLoaded', () => { watchBody(); show(); }, { once: true });
}
