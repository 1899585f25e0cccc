import {viteBundler} from '@vuepress/bundler-vite'
import {defaultTheme} from '@vuepress/theme-default'
export default {title: 'Lighthouse', bundler: viteBundler(), theme: defaultTheme({sidebar: ['/', '/lighting.html', '/reference.html', '/faults.html', '/appendix.html'], docsRepo: 'https://e.test/r'})}
