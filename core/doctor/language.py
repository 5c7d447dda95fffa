"""Which language a text is likely written in: English or not, by its script and small words.

Meant to warn, so it would rather say nothing than be wrong: a language that is not listed here,
a list of names or a text of a few words is left alone. What cannot be told of one text can often
be told of many, so a file is judged as a whole too.
"""

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[^\W\d_]+")

_LEAST_WORDS = 8
"""A text of fewer words is not judged by its words alone: titles and quotations are short."""

_LEAST_HITS = 3
_LEAST_SHARE = 0.15
"""Of a text's words, how many must be small words of one language. Agglutinating languages have
few of them; names and loan words in an English sentence come to fewer still."""

_HITS_PER_ENGLISH = 3
_WHOLE_WORDS = 40
_WHOLE_SHARE = 0.1
"""Of all words of a file that is judged as a whole; in Thaw's corpus it is 1 in 1,000 at most."""

_OTHER_SCRIPT = 0.3
"""Of a text's letters. A foreign name in an English sentence stays below it."""

_ENGLISH_WORDS = """
    the and of to that with this from they you your were are which what when who would there their
    been has have not but he his she her it its by our about could should how after because where
    those these than into only them him just more some other out up if can did does don my over
    before between through while why being then also any each off again every both few most same
    too very now is was in on at as an for be so all do had will we or one i an a no
    under may ten"""

_SMALL_WORDS = {
    "Spanish": """
        de la el a al un del e o no si han ha era me son
        que y en los las por con una para como más pero sus su muy está fue este esta cuando también
        porque sobre todo hay ser son nos ya entre desde hasta donde quien sin eso esto yo
        había tiene hace nada nunca siempre aunque estos estas fueron puede lo es se mi te""",
    "Portuguese": """
        de a o e da do no na os as ao me mas um
        que não uma com para os dos das pelo pela mais mas muito foi está ele ela isso este esta
        quando também porque são ser nos já entre até onde quem sem eu você seu sua tem ao
        nunca sempre embora estes foram pode em na um se por como""",
    "French": """
        de la le les du au un a en ne si me on pas est sur
        que et les des une est dans pour pas qui sur avec ce cette il elle nous vous ils sont mais
        plus par aux été être avait fait très aussi leur même ces ont quand comme où sans
        son sa ses je tu ne était qu suis""",
    "Italian": """
        la le il di da in un a e i al ha ma si mi lo gli ed
        che e il di non una per con sono del della dei delle nel nella più ma anche come è si
        questo questa quando perché molto ha gli alla ai dal loro suo sua essere stato stata
        sempre mai ancora tutto tutti hanno era io noi""",
    "Romanian": """
        de a o în un se al
        și nu este pe cu la care mai din pentru că au fost dar sau această acest ce prin după
        foarte sunt ale lui ei fi când unde decât fără până despre într""",
    "German": """
        die in den des so was am an im er war man hat
        und der das nicht ist ein eine einen dem mit sich auf für von zu auch es sie wird wie aber
        bei oder nach sind wir ich noch nur aus durch haben hat sehr dass über wenn zum zur vom
        kein keine mehr schon immer hier diese dieser dieses seine ihre ihr ihm einem einer""",
    "Dutch": """
        de van is in was we den der over had per
        het een en niet dat zijn met voor op aan te er ook maar om hij zij wij werd naar bij uit
        dan nog wel geen deze dit wordt heeft hebben kan meer veel door ze ik je jij mijn haar
        omdat toen altijd nooit onder tegen zeer""",
    "Swedish": """
        i en de var man för under
        och att det som är inte jag den på med till av ett har om så men han hon var vi när från
        också efter eller mycket då nu här där sig sin sina kan ska skulle alla utan mot""",
    "Danish or Norwegian": """
        i for de den der man var under han
        og det at er ikke jeg som på den med til av af en et har om men han hun var vi når fra
        også etter efter eller meget nå nu her der seg sig sin sine kan skal skulle alle uden uten
        mot mod""",
    "Finnish": """
        ja on ei se että oli mutta niin kun kuin hän ovat tai myös jos sen ole minä sinä joka
        olen mitä nyt vain sitten vielä kanssa ennen jälkeen""",
    "Polish": """
        to a o
        i w nie na się że z do jest jak ale co tak po za od przez dla być był była czy tylko już
        może bardzo ten tego są oraz jego jej które który która gdy kiedy""",
    "Czech or Slovak": """
        to v o i
        a se že na je v ale jako by jsem si tak co jeho po pro když už jen být byl byla
        nebo jsou není které který která velmi před až sa nie som však bol bola""",
    "Hungarian": """
        a is
        az és hogy nem egy van volt meg csak már is mint de még ha vagy ezt azt kell nagyon
        lehet minden mert után ami aki""",
    "Turkish": """
        ve bir bu çok için ile da de ne daha gibi değil var ama kadar olarak sonra ben sen biz
        olan mi mı her şey en ki oldu olduğu""",
    "Indonesian or Malay": """
        yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada
        adalah oleh sudah bisa kami kita mereka tersebut atau lebih telah tapi""",
    "Vietnamese": """
        là và của có không được cho một những người với các trong này để tôi đã thì mà ở cũng
        như rất khi ra về lại nhưng""",
    "Tagalog": """
        si
        ang ng sa mga na ay hindi ko siya niya ito para kung nang po naman lang may kanyang
        sila ako ka mo at""",
}

_NOT_A_SIGN_WORDS = """
    a ada ai al alle am av ben co com come con da dan das de del den der des di die do door dos
    du e ei el en er est et fi ha han hat hay her hun i im ja ka kan ki ko la las le les lo los ma
    mai man mas me men met mi mint mit mo mod mot na ne ng no non nu o om op os pas par per plus
    po pro sa sans se seine si sin so son sur te til till to tu um un v vain van var ve vi von w war
    ya yo y es care ama"""

_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_NOT_A_SIGN = frozenset(_NOT_A_SIGN_WORDS.split())
"""Words that stand in English sentences too: parts of names, and words of both languages."""

_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _LANGUAGES_OF[_word] = (*_LANGUAGES_OF.get(_word, ()), _language)

_SCRIPTS = (  # first and last code point, and what people call it
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0530, 0x058F, "Armenian"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x077F, "Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0980, 0x09FF, "Bengali"),
    (0x0A00, 0x0DFF, "an Indic script"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Korean"),
    (0x1200, 0x139F, "Ethiopic"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x3040, 0x30FF, "Japanese"),
    (0x3130, 0x318F, "Korean"),
    (0x3400, 0x4DBF, "Chinese or Japanese"),
    (0x4E00, 0x9FFF, "Chinese or Japanese"),
    (0xAC00, 0xD7AF, "Korean"),
    (0xF900, 0xFAFF, "Chinese or Japanese"),
    (0x20000, 0x3FFFF, "Chinese or Japanese"),
)


def script_of(text: str) -> str | None:
    """Name the script of a text that is written in another one than Latin to a good part.

    Returns:
        Such as `Cyrillic`; None for a text in Latin script, or without letters.

    >>> script_of("Добрый день, Paris")
    'Cyrillic'
    """
    if text.isascii():
        return None
    letters = [character for character in text if character.isalpha()]
    scripts = Counter(filter(None, map(_script, letters)))
    if sum(scripts.values()) <= _OTHER_SCRIPT * len(letters):
        return None
    return scripts.most_common(1)[0][0]


def _script(character: str) -> str | None:
    point = ord(character)
    if point < _SCRIPTS[0][0]:
        return None
    return next((name for first, last, name in _SCRIPTS if first <= point <= last), None)


class _SmallWords:
    """The small words of a text, counted by language, each once.

    Attributes:
        words: All the text's words.
        english: Small words of English.
        own: By language, its small words that English texts do not have.
        shared: By language, its small words that English texts have too, such as `de` and `in`.
    """

    def __init__(self, text: str) -> None:
        words = _WORD.findall(text.lower())
        self.words = len(words)
        self.english = len(_ENGLISH.intersection(words))
        self.own: Counter[str] = Counter()
        self.shared: Counter[str] = Counter()
        self._english_too: Counter[str] = Counter()
        for word in set(words):  # La La Land is no more French for saying it twice
            languages = _LANGUAGES_OF.get(word, ())
            seen_in_english = word in _ENGLISH or word in _NOT_A_SIGN
            (self.shared if seen_in_english else self.own).update(languages)
            if word in _ENGLISH:
                self._english_too.update(languages)

    def language(self) -> str | None:
        """Name the language that this one text is likely in, where it is surely not English."""
        likely = [name for name in self.own if self._likely(name)]
        return max(likely, key=lambda name: (self.own[name], self.shared[name]), default=None)

    def _likely(self, name: str) -> bool:
        own, hits = self.own[name], self.own[name] + self.shared[name]
        english = self.english - self._english_too[name]
        least = max(_LEAST_HITS, _LEAST_SHARE * self.words)
        if self.words < _LEAST_WORDS or hits < least:
            return False
        if own >= _LEAST_HITS:
            return own >= _HITS_PER_ENGLISH * english
        # Few English texts of that length have no small word that is English alone.
        return english == 0 and hits >= (least if own > 1 else least + 1)


def foreign_texts(texts: Sequence[str]) -> dict[int, str]:
    """Find the texts that are likely not English, and what they are likely written in.

    Args:
        texts: Any texts. Those in another script are told by it, the others by their small
            words: one by one where they are long enough, and all together.

    Returns:
        By index of the text a language (`Spanish`) or script (`Cyrillic`). A text that is not in
        it may still not be English.

    >>> foreign_texts(["The man came home.", "Der Mann kam nicht nach Hause, weil es regnete."])
    {1: 'German'}
    """
    found: dict[int, str] = {}
    latin: dict[int, _SmallWords] = {}
    for index, text in enumerate(texts):
        name = script_of(text)
        if name is None:
            latin[index] = _SmallWords(text)
            name = latin[index].language()
        if name is not None:
            found[index] = name
    return dict(sorted((_foreign_as_a_whole(latin) | found).items()))


def _foreign_as_a_whole(latin: dict[int, _SmallWords]) -> dict[int, str]:
    """Judge short texts by what they are together, where most of the file is one language."""
    total: Counter[str] = Counter()
    for each in latin.values():
        total.update(each.own)
    words = sum(each.words for each in latin.values())
    english = sum(each.english for each in latin.values())
    for name, hits in total.most_common(1):
        if words >= _WHOLE_WORDS and hits >= max(english, _WHOLE_SHARE * words):
            return {index: name for index, each in latin.items() if each.own[name] > each.english}
    return {}
