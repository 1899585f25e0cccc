//# allFunctionsCalledOnLoad
(()=>{var E="display: contents; writing-mode: horizontal-tb; color-scheme: light; font: 16px/1.5 sans-serif; font-family: var(--ragbot-font, inherit);",l=`
:host { ${E} --accent: var(--ragbot-accent, #1d5fbf); --on-accent: var(--ragbot-on-accent, #fff); --z: var(--ragbot-z-index, 2147483000); }
${x("color-scheme: dark; --accent: var(--ragbot-accent, #8ab8ff); --on-accent: var(--ragbot-on-accent, #10233f);")}
[hidden] { display: none !important; }
button { font: inherit; cursor: pointer; min-height: 28px; min-width: 28px; }
.launch, .offer { position: fixed; z-index: var(--z); border: 1px solid transparent; border-radius: 999px;
  background: var(--accent); color: var(--on-accent); box-shadow: 0 2px 10px #0004; text-decoration: none; }
.launch { bottom: var(--ragbot-offset, 20px); right: 20px; padding: 10px 18px; }
:host([data-left]) .launch { right: auto; left: 20px; }
.launch[aria-busy] { opacity: .6; cursor: progress; transition: opacity .2s .3s; }
.offer { padding: 4px 12px; font-size: 14px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media print { :host(:not([data-page])) { display: none !important; } }
`;function x(n){return`:host([data-theme=dark]) { ${n} } @media (prefers-color-scheme: dark) { :host(:not([data-theme])) { ${n} } }`}var d=["dark","slate","night","navy","coal","ayu"],u=["light","default","rust"],S=["","theme","mode","color","scheme","is","v","quarto"],r=["data-theme","data-md-color-scheme","data-bs-theme","data-color-mode","data-mode","class"];function v(n,t){let e=null;for(let o of n.toLowerCase().replaceAll(`
`," ").split(" ")){let i=o.split("-");if(!(t&&!i.every(s=>d.includes(s)||u.includes(s)||S.includes(s)))){if(i.some(s=>d.includes(s)))return"dark";i.some(s=>t?s==="light":u.includes(s))&&(e="light")}}return e}function L(){for(let n of[document.documentElement,document.body])for(let t of r){let e=n.getAttribute(t);if(!e)continue;let o=v(e,t==="class");if(o)return o}return null}function h(n,t){let e=null,o=()=>{let i=["light","dark"].includes(t)?t:L()??e;n.getAttribute("data-theme")!==i&&(i?n.setAttribute("data-theme",i):n.removeAttribute("data-theme"))};return o(),{show:o,saw:i=>{e=i,o()}}}var f=10,T=250,g="widget/assets/";function A(n){let t={...window.RagbotConfig,...n?.dataset},e=(t.lang||document.documentElement.lang||"en").toLowerCase().replaceAll("_","-"),o=a(e)??a(e.split("-")[0])??a("en");return{...t,base:k(t.api,n?.src),language:o[0],labels:o}}function a(n){let t=`
ar|اسأل الكتاب|اسأل عن هذا
de|Das Buch fragen|Dazu fragen
en|Ask the book|Ask about this
es|Preguntar al libro|Preguntar sobre esto
fr|Interroger le livre|Poser une question là-dessus
he|שאלו את הספר|שאלו על זה
hi|किताब से पूछें|इसके बारे में पूछें
id|Tanya buku|Tanya tentang ini
it|Chiedi al libro|Chiedi di questo
ja|本に質問する|これについて質問
ko|책에 질문하기|이것에 대해 질문
pl|Zapytaj książkę|Zapytaj o to
pt|Perguntar ao livro|Perguntar sobre isto
ru|Спросить книгу|Спросить об этом
tr|Kitaba sor|Bunu sor
uk|Запитати книгу|Запитати про це
ur|کتاب سے پوچھیں|اس کے بارے میں پوچھیں
vi|Hỏi cuốn sách|Hỏi về điều này
zh|向本书提问|就此提问
`.indexOf(`
${n}|`);return t<0?void 0:`ar|اسأل الكتاب|اسأل عن هذا
de|Das Buch fragen|Dazu fragen
en|Ask the book|Ask about this
es|Preguntar al libro|Preguntar sobre esto
fr|Interroger le livre|Poser une question là-dessus
he|שאלו את הספר|שאלו על זה
hi|किताब से पूछें|इसके बारे में पूछें
id|Tanya buku|Tanya tentang ini
it|Chiedi al libro|Chiedi di questo
ja|本に質問する|これについて質問
ko|책에 질문하기|이것에 대해 질문
pl|Zapytaj książkę|Zapytaj o to
pt|Perguntar ao livro|Perguntar sobre isto
ru|Спросить книгу|Спросить об этом
tr|Kitaba sor|Bunu sor
uk|Запитати книгу|Запитати про це
ur|کتاب سے پوچھیں|اس کے بارے میں پوچھیں
vi|Hỏi cuốn sách|Hỏi về điều này
zh|向本书提问|就此提问`.slice(t).split(`
`,1)[0].split("|")}function k(n,t=location.href){let e=m("#",m("?",n?new URL(n,location.href).href:t));if(n)return e.endsWith("/")?e:`${e}/`;let o=e.slice(0,e.lastIndexOf("/")+1);return o.endsWith(g)?o.slice(0,-g.length):o}function m(n,t){let e=t.indexOf(n);return e<0?t:t.slice(0,e)}function C(n){return["ar","he","ur"].includes(n.split("-")[0])}function R(n,t){return!!(t?.contains(n)||t?.shadowRoot.contains(n))}function p(n){let t=getSelection();if(!t?.rangeCount||t.isCollapsed)return"";let e=t.getRangeAt(0).commonAncestorContainer,o=e instanceof Element?e:e.parentElement;if(!o||R(o,n)||o.closest('input, textarea, [contenteditable=""], [contenteditable=true]'))return"";let i=t.toString().trim();return[...i.slice(0,2*f)].length<f?"":i}function O(n,t){let e=t.toLowerCase().split("+"),o=e.pop(),i=e.includes("mod")?n.ctrlKey||n.metaKey:n.ctrlKey===e.includes("ctrl");return(n.key.toLowerCase()===o||(n.key>"~"||n.key==="Dead")&&[`Key${o.toUpperCase()}`,`Digit${o}`].includes(n.code))&&i&&n.shiftKey===e.includes("shift")&&n.altKey===e.includes("alt")}var c=class{#t=null;#e=0;#n=0;constructor(t){this.config=t}begin(){if(this.host)return;let{config:t}=this;this.host=document.createElement("ragbot-widget"),this.root=this.host.attachShadow({mode:"open"});let e=new CSSStyleSheet;e.replaceSync(l),this.root.adoptedStyleSheets=[e],this.host.setAttribute("lang",t.language),this.host.setAttribute("dir",C(t.language)?"rtl":"ltr"),t.position==="left"&&this.host.setAttribute("data-left",""),this.theme=h(this.host,t.theme),this.button=this.#o("launch",t.label||t.labels[1],()=>this.open()),this.button.hidden=t.button==="off"||!!t.trigger||t.mode==="page",this.#s(),document.dispatchEvent(new Event("ragbot:ready"))}async begun(){document.readyState==="loading"&&await new Promise(t=>{document.addEventListener("DOMContentLoaded",t,{once:!0})}),this.begin()}#o(t,e,o){let i=document.createElement("button");return i.setAttribute("type","button"),i.setAttribute("class",t),i.setAttribute("part",t),i.textContent=e,i.addEventListener("mousedown",s=>s.preventDefault()),i.addEventListener("click",o),this.root.append(i),i}#s(){let t=this.config.mode==="page"?document.getElementById("ragbot-page"):null,e=new MutationObserver(()=>{o(),document.body&&this.theme.show()}),o=()=>{for(let i of[document,document.documentElement,document.body])i&&e.observe(i,{childList:!0,attributes:!0,attributeFilter:r});document.body&&(this.host.isConnected||t?.isConnected||(document.body.append(this.host),e.takeRecords(),this.afterMove?.()))};o()}listen(){let{config:t}=this,e=t.shortcut||"mod+i";addEventListener("keydown",o=>{e==="off"||o.defaultPrevented||o.isComposing||!o.key||!O(o,e)||o.composedPath()[0].isContentEditable||(o.preventDefault(),this.open({selection:p(this.host)}))}),document.addEventListener("click",o=>{let i=t.trigger&&o.target.closest?.(t.trigger);i&&(o.preventDefault(),this.open({},i))}),!(t.selection==="off"||t.mode==="page")&&document.addEventListener("selectionchange",()=>this.#i())}#i(){clearTimeout(this.#e),this.#e=setTimeout(()=>this.#r(),T)}async#r(){if(this.#e=0,await this.begun(),this.selection=p(this.host),this.#t&&(this.#t.hidden=!this.selection),!this.selection)return;let t=this.#a(),e=getSelection().getRangeAt(0).getBoundingClientRect(),{width:o,height:i}=t.getBoundingClientRect(),s=t.currentCSSZoom??1,y=e.bottom+i+16<innerHeight;t.style.left=`${Math.max(8,Math.min(e.left,document.documentElement.clientWidth-o-8))/s}px`;let w=y?e.bottom+8:e.top-i-8;t.style.top=`${Math.max(8,Math.min(w,innerHeight-i-8))/s}px`}#a(){return this.#t?this.#t:(this.#t=this.#o("offer",this.config.labels[2],()=>this.open({selection:this.selection})),addEventListener("scroll",()=>{this.#t.hidden&&!this.#e||(this.#t.hidden=!0,this.#i())},{passive:!0,capture:!0}),this.#t)}panel(){let t=this.#n?`?again=${this.#n}`:"";return this.loading??=import(new URL(`widget/assets/panel-4CSWFGIE.js${t}`,this.config.base).href).then(({openPanel:e})=>e(this)).catch(e=>{throw this.loading=null,this.#n+=1,e}),this.loading}async open(t={},e=null){await this.begun(),this.#t&&(this.#t.hidden=!0);let o=document.activeElement===this.host?this.root.activeElement:document.activeElement;this.button.setAttribute("aria-busy","true");try{(await this.panel()).open(t,e??o),this.root.querySelector(".elsewhere")?.remove()}catch{this.#c()}this.button.removeAttribute("aria-busy")}#c(){if(this.root.querySelector(".elsewhere"))return;let t=document.createElement("a");t.className="launch elsewhere",t.href=this.config.fallback||new URL("ask",this.config.base).href,t.textContent=`${this.button.textContent} ↗`,this.button.hidden=!0,this.root.append(t),t.focus()}};function $(n){document.readyState==="loading"?document.addEventListener("DOMContentLoaded",n,{once:!0}):n()}function b(n){document.prerendering?document.addEventListener("prerenderingchange",n,{once:!0}):n()}function M(){let{activation:n}=window.navigation??{};return!n||!!n.from||!["push","replace"].includes(n.navigationType)}function B(n){let t=null;try{t=JSON.parse(sessionStorage.getItem(`ragbot ${n.config.base} ${n.config.book??""}`))}catch{}(t?.open||t?.going)&&n.panel().then(e=>e.goOn()).catch(()=>{})}function D(n){if(window.Ragbot?.version)return;let t=new c(A(n));window.Ragbot={version:1,open:e=>t.open(e),close:()=>t.loading?.then(e=>e.close()),ask:(e,o={})=>t.open({...o,question:e,send:!0})},t.listen(),t.config.mode==="page"?b(()=>t.open({page:!0})):$(()=>{t.begin(),b(()=>M()&&B(t))})}D(document.currentScript??document.querySelector('script[src*="/widget.js"], script[src*="/widget/assets/"]'));})();
