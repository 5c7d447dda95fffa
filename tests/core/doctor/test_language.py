import pytest

from core.data.corpus import load_corpus
from core.doctor.language import foreign_texts, script_of

ENGLISH = [
    "The manager came home late because of the rain.",
    "Real Madrid beat Paris Saint-Germain in the final on Sunday night.",
    "Oscar de la Hoya, Juan Carlos de la Cruz, El Paso, Los Angeles, Las Vegas.",
    "She shouted 'no me gusta' at him and left the room at once.",
    "Ja Rule, Die Hard, Les Misérables, La La Land, Il Divo, El Camino, Der Spiegel.",
    "Great phone!",
    "naïve café résumé",
]
OTHERS = {
    "Spanish": "Me encanta este teléfono, la batería dura todo el día y la cámara es muy buena.",
    "Portuguese": "O time venceu o jogo de ontem, mas não ficou satisfeito com a defesa dele.",
    "French": "Le président a déclaré hier que les élections auront lieu dans deux mois.",
    "Italian": "Questo ristorante è molto buono e il personale è gentile, tornerò con gli amici.",
    "German": "Die Regierung hat angekündigt, dass die Steuern im nächsten Jahr nicht steigen.",
    "Dutch": "De regering heeft gisteren gezegd dat de belastingen volgend jaar niet stijgen.",
    "Swedish": "Regeringen sade i går att skatterna inte kommer att höjas och det är bra.",
    "Danish or Norwegian": "Maden var god, og personalet var meget venligt, så jeg kommer igen.",
    "Finnish": "Ruoka oli hyvää ja henkilökunta oli ystävällistä, mutta hinta on korkea.",
    "Polish": "Jedzenie było pyszne, ale obsługa nie była miła i już tam nie wrócimy.",
    "Czech or Slovak": "Vláda oznámila, že daně se příští rok nezvýší, ale není to jisté.",
    "Hungarian": "Az étel nagyon finom volt és a kiszolgálás is kedves, de egy kicsit drága.",
    "Turkish": "Hükümet vergilerin artmayacağını açıkladı ve bu çok iyi bir haber.",
    "Indonesian or Malay": "Pemerintah mengumumkan bahwa pajak tidak akan naik pada tahun ini.",
    "Vietnamese": "Chính phủ đã thông báo rằng thuế sẽ không tăng trong những năm tới.",
    "Romanian": "Mâncarea a fost foarte bună și personalul amabil, dar nu este ieftin.",
    "Tagalog": "Sinabi ng pamahalaan kahapon na hindi tataas ang mga buwis sa susunod na taon.",
}


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_in_another_language_is_told(language: str) -> None:
    assert foreign_texts([*ENGLISH, OTHERS[language]]) == {len(ENGLISH): language}


def test_no_sentence_of_the_corpus_is_taken_for_another_language() -> None:
    texts = [row.text for row in load_corpus()]
    assert [texts[index] for index in foreign_texts(texts)] == []


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Добрый день, Paris", "Cyrillic"),
        ("今日は天気がいいですね", "Japanese"),
        ("今天天气很好", "Chinese or Japanese"),
        ("صباح الخير", "Arabic"),
        ("Καλημέρα", "Greek"),
        ("안녕하세요", "Korean"),
        ("The sign said Осторожно in red letters", None),
        ("a 5 μm gap, α and β", None),
        ("𝐁𝐨𝐥𝐝 and ｆｕｌｌ width", None),
        ("12:30 → 14:45 ☀️", None),
        ("", None),
    ],
)
def test_a_script_is_told_by_a_good_part_of_the_letters(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_short_sentences_of_one_language_are_told_together() -> None:
    short = ["Muy mal servicio", "No funciona para nada", "Llegó muy tarde", "Me gusta mucho"]
    found = foreign_texts(short * 5)
    assert set(found.values()) == {"Spanish"}
    assert foreign_texts(short) == {}, "a few words are no sign"


def test_short_sentences_of_a_mixed_file_are_left_alone() -> None:
    texts = ["Muy mal servicio", *ENGLISH * 4]
    assert foreign_texts(texts) == {}
