/** Be a page of its own (`/ask`): its address holds the last question, and another page may show it in a frame. */

export function questionInAddress() {
  const [fragment, query] = [location.hash.slice(1), location.search].map((text) => new URLSearchParams(text).get('q'));
  return (fragment ?? query ?? '').trim();
}

/** Put a question into the address, where the service never sees it; an empty one takes out what was there. */
export function putIntoAddress(question) {
  const address = new URL(location.href);
  address.searchParams.delete('q');
  address.hash = question ? new URLSearchParams({ q: question }) : '';
  history.replaceState(history.state, '', address);
}

/** Return whether this page is shown in a frame, and the reader is in the page around it: its focus and scroll are not ours. */
export function isBesideTheReader() {
  return window !== window.top && !document.hasFocus();
}
