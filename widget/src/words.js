/** Give the panel's words in the reader's language. */
import english from '../words/en.json';

/* global WORD_FILES */

/** Load the words of a language; English where they are missing or cannot be had. */
export async function loadWords(language, base) {
  let words = {};
  try {
    if (WORD_FILES[language]) {
      const response = await fetch(new URL(`widget/assets/${WORD_FILES[language]}`, base));
      if (response.ok) words = await response.json();
    }
  } catch {
    // English is better than no panel.
  }
  return (key, values = {}) => {
    const text = words[key] ?? english[key];
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
  };
}

const TROUBLES = {
  offline: 't_offline', unreachable: 't_unreachable', broken: 't_broken', answer_cut: 't_broken',
  overloaded: 't_busy', search_unavailable: 't_busy', cache_unavailable: 't_busy', idempotency_in_progress: 't_busy',
  rate_limited: 't_rate_limited', deadline_exceeded: 't_slow', no_book: 't_no_book', edition_not_found: 't_no_book',
  book_not_found: 't_no_book', content_filtered: 't_filtered', invalid_request: 't_invalid', body_too_large: 't_invalid',
  malformed_json: 't_invalid', origin_not_allowed: 't_forbidden', widget_token_required: 't_forbidden', unauthorized: 't_forbidden',
};

/** Say a trouble in a sentence for a reader. */
export function sentenceOf(trouble, say) {
  const key = TROUBLES[trouble.code] ?? 't_unknown';
  const seconds = trouble.waitS ?? 60;
  const [unit, of] = seconds <= 120 ? ['t_seconds', 1] : seconds <= 7200 ? ['t_minutes', 60] : ['t_hours', 3600];
  return say(key, { wait: say(unit, { n: Math.ceil(seconds / of) }) });
}
