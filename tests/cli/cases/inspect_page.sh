# A page that needs no other file, and that no text can break out of.
command -v python3 >/dev/null || skip "no python3"
sample >chat.txt
printf '</script><img src=x onerror=alert(1)><!--<script> ]]> & \xff\xfe {{inspection}} \xe2\x80\xae end\n' >>chat.txt
mv chat.txt '<b>.txt'
"$TACIT" inspect --html page.html --json -o page.json '<b>.txt'
"$TACIT" inspect --html - '<b>.txt' | cmp - page.html
python3 - <<'END'
import html.parser, json, re
page = open("page.html", encoding="utf-8").read()
assert page.startswith("<!doctype html>")
reference = r"https?:|//[a-z]|@import|url\(|<link|<iframe|<base|srcdoc"
assert not re.search(reference, page.replace("src=x", "")), "needs another file"
class Elements(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.data, self.inside = {}, "", False
    def handle_starttag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        attributes = dict(attributes)
        assert not any(name.startswith("on") or name in ("src", "href") for name in attributes), attributes
        self.inside = attributes.get("id") == "inspection"
        if attributes.get("http-equiv") == "Content-Security-Policy":
            assert "default-src 'none'" in attributes["content"]
            self.has_policy = True
    def handle_endtag(self, tag):
        self.inside = False
    def handle_data(self, data):
        if self.inside: self.data += data
elements = Elements()
elements.feed(page)
elements.close()
assert elements.has_policy and elements.tags["script"] == 2 and "img" not in elements.tags and "b" not in elements.tags
assert "<" not in elements.data
assert json.loads(elements.data) == json.load(open("page.json"))
spans = json.loads(elements.data)["tokens"]
text = b"".join(bytes.fromhex(span["hex"]) if span["text"] is None else span["text"].encode() for span in spans)
assert text == open("<b>.txt", "rb").read()
assert "onerror" not in page.replace(elements.data, "")
END
only '<b>.txt' page.html page.json
