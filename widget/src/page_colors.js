/** See whether a page is light or dark by the colour of its text. */

const DRAWN_MS = 700; // Sites change their colours slowly.

/** Return how light a computed colour is, from 0 to 1. */
function lightness(color) {
  const [first, second, third] = color.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0];
  if (/^okl/.test(color)) return first;
  if (/^l/.test(color)) return first / 100;
  const sum = first * 0.3 + second * 0.6 + third * 0.1;
  return color.startsWith('rgb') ? sum / 255 : sum;
}

export function seenTheme() {
  const text = document.querySelector('main, article, [role=main]') ?? document.body;
  return lightness(getComputedStyle(text).color) > 0.5 ? 'dark' : 'light';
}

/** Tell the theme now, and again after whatever may have changed it. */
export function watchColors(tell) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    timer = setTimeout(() => tell(seenTheme()), DRAWN_MS);
  };
  tell(seenTheme());
  for (const event of ['click', 'change']) document.addEventListener(event, look, { capture: true, passive: true });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', look);
}
