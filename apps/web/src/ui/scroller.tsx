import type { ReactNode } from 'react';

/** Holds what may be wider than the page. The keyboard reaches it, so that it can be scrolled without a mouse. */
export function Scroller({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
    <section className="scroller" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
