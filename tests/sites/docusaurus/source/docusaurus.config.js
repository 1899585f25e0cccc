import remarkMath from 'remark-math';
import rehypeKatex from 'rehype-katex';

export default {
  title: 'Lighthouse',
  url: 'https://book.test',
  baseUrl: '/',
  trailingSlash: false,
  onBrokenLinks: 'ignore',
  markdown: {hooks: {onBrokenMarkdownImages: 'ignore', onBrokenMarkdownLinks: 'ignore'}},
  presets: [
    ['classic', {
      docs: {routeBasePath: '/', remarkPlugins: [remarkMath], rehypePlugins: [rehypeKatex]},
      blog: false,
      pages: false,
    }],
  ],
};
