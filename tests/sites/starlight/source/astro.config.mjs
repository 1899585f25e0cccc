import {defineConfig} from 'astro/config';
import starlight from '@astrojs/starlight';
export default defineConfig({integrations: [starlight({title: 'Lighthouse', editLink: {baseUrl: 'https://e.test/'}, sidebar: ['index', 'lighting', 'reference', 'faults', 'appendix']})]});
