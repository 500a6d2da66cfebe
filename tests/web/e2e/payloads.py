"""What a hostile author would write so that the reader's browser runs it: `pwned()` if it works.

Each payload is put where the table says; `pwned` is defined by the test, which fails when it is
called. Written by place: what breaks out of a title need not break out of a formula.
"""

CALL = "pwned()"

MARKUP = (
    "<script>pwned()</script>",
    "<ScRiPt>pwned()</sCrIpT>",
    "<script src=data:text/javascript,pwned()></script>",
    "<script type=module>pwned()</script>",
    "<scr<script>ipt>pwned()</scr</script>ipt>",
    "</script><script>pwned()</script>",
    "</textarea><script>pwned()</script>",
    "</title><script>pwned()</script>",
    "</style><script>pwned()</script>",
    "--><script>pwned()</script><!--",
    "]]><script>pwned()</script>",
    "<img src=x onerror=pwned()>",
    "<img src=x onerror='pwned()'//",
    "<img/src=x/onerror=pwned()>",
    "<img src=x:x onerror\n=\npwned()>",
    "<image href=x onerror=pwned()>",
    "<svg onload=pwned()>",
    "<svg><script>pwned()</script></svg>",
    "<svg><animate onbegin=pwned() attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:pwned()'><text y=20>click here</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=pwned() />#x'/></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.pwned()</script>'></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=pwned()></style></mglyph></table>",
    "<math href='javascript:pwned()'>click</math>",
    "<iframe src='javascript:parent.pwned()'></iframe>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    "<object data='javascript:pwned()'></object>",
    "<embed src='javascript:pwned()'>",
    "<form><button formaction='javascript:pwned()'>click</button></form>",
    "<form action='javascript:pwned()'><input type=submit></form>",
    "<input autofocus onfocus=pwned()>",
    "<select autofocus onfocus=pwned()>",
    "<textarea autofocus onfocus=pwned()>",
    "<details open ontoggle=pwned()>",
    "<video><source onerror=pwned()></video>",
    "<audio src=x onerror=pwned()>",
    "<body onload=pwned()>",
    "<body onpageshow=pwned()>",
    "<marquee onstart=pwned()>",
    "<div style='animation-name:x' onanimationstart=pwned()>",
    "<style>@keyframes x{}</style><p style='animation-name:x' onanimationstart=pwned()>",
    "<link rel=stylesheet href='data:text/css,*{}' onload=pwned()>",
    "<meta http-equiv=refresh content='0;url=javascript:pwned()'>",
    "<base href='javascript:/a/-pwned()//'>",
    "<template><script>pwned()</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=pwned()>'>",
    "<a href='javascript:pwned()' autofocus onfocus=pwned()>click</a>",
    "<xss id=x tabindex=1 onfocus=pwned() autofocus></xss>",
    "<p onmouseover=pwned()>over me</p>",
    '"><img src=x onerror=pwned()>',
    "'><img src=x onerror=pwned()>",
    '" onmouseover="pwned()" x="',
    "' autofocus onfocus='pwned()' x='",
    "`><img src=x onerror=pwned()>",
    "&lt;img src=x onerror=pwned()&gt;",
    "&#60;img src=x onerror=pwned()&#62;",
    "\\u003cimg src=x onerror=pwned()\\u003e",
    "＜script＞pwned()＜/script＞",
    "<\x00script>pwned()</script>",
    "{{constructor.constructor('pwned()')()}}",
    "${pwned()}",
    "#{pwned()}",
    "<%= pwned() %>",
    "[[${pwned()}]]",
    "dangerouslySetInnerHTML={{__html:'<img src=x onerror=pwned()>'}}",
)
"""For titles, bodies, names of people and of files, and for what a model writes."""

LINKS = (
    "javascript:pwned()",
    "JaVaScRiPt:pwned()",
    "java\tscript:pwned()",
    "java\nscript:pwned()",
    " javascript:pwned()",
    "\x01javascript:pwned()",
    "javascript&colon;pwned()",
    "javascript://%0apwned()",
    "javascript://docs.example/%0Apwned()",
    "vbscript:pwned()",
    "data:text/html,<script>opener.pwned()</script>",
    "data:text/html;base64,PHNjcmlwdD5vcGVuZXIucHduZWQoKTwvc2NyaXB0Pg==",
    "blob:javascript:pwned()",
    "view-source:javascript:pwned()",
    "//javascript:pwned()",
    "feed:javascript:pwned()",
    'https://docs.example/"onmouseover="pwned()',
    "https://docs.example/'><img src=x onerror=pwned()>",
)
"""For addresses of pages and links inside them."""

MARKDOWN = (
    "[click]({link})",
    "![alt]({link})",
    "<{link}>",
    "[click][1]\n\n[1]: {link}",
    "[![x]({link})]({link})",
)
"""Ways to write an address in an answer; each is used with a few of the links."""

FORMULAS = (
    r"$\href{javascript:pwned()}{x}$",
    r"$\url{javascript:pwned()}$",
    r"$\includegraphics{javascript:pwned()}$",
    r"$\htmlData{x=y}{\htmlClass{a}{\htmlId{b}{\htmlStyle{color:red}{x}}}}$",
    r"$\text{</span><img src=x onerror=pwned()>}$",
    r"$$\begin{array}{c}<script>pwned()</script>\end{array}$$",
    r"$\unicode{<img src=x onerror=pwned()>}$",
    r"$\class{x}{\cssId{y}{\style{background:url(javascript:pwned())}{z}}}$",
    r"$\def\x{\x\x}\x$",
)
"""For math, in pages and in answers; the last would grow for ever."""

CODE = (
    "```html\n<script>pwned()</script>\n```",
    '```"><img src=x onerror=pwned()>\nx\n```',
    "```js onload=pwned()\npwned\n```",
    "`<img src=x onerror=pwned()>`",
    "```\n</code></pre><script>pwned()</script>\n```",
)
"""For code blocks, in pages and in answers."""
