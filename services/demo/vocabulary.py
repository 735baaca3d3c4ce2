"""Words and facts the text generator draws from; written for this project, no third-party text."""

from __future__ import annotations

from typing import Final


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


ANIMALS: Final = _words(
    "fox cat dog rabbit bear mouse owl frog horse duck lion turtle wolf hen goat bee cow pig"
)
GIRLS: Final = _words("Anna Lucy Sara Mia Eva Nora Zoe Ruth Ella Rosa")
BOYS: Final = _words("Tom Ben Max Leo Sam Jack Paul Finn Otto Hugo")
NAMES: Final = GIRLS + BOYS
COLORS: Final = _words("red blue green yellow white black brown orange purple grey pink")
POSITIVE: Final = _words("happy kind brave clever gentle friendly proud calm cheerful")
NEGATIVE: Final = _words("sad angry scared lonely tired worried hungry cold upset")
PLACES: Final = _words(
    "forest garden river mountain village market school kitchen beach farm castle library"
)
FOODS: Final = _words("bread soup cheese cake honey rice butter jam pie milk")
OBJECTS: Final = _words("ball book hat box lamp boat drum kite coat key stone flower")
WEATHER: Final = _words("sunny rainy windy snowy cloudy stormy foggy")
DAYS: Final = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS: Final = _words(
    "January February March April May June July August September October November December"
)
SEASONS: Final = ("spring", "summer", "autumn", "winter")
NUMBER_WORDS: Final = _words("zero one two three four five six seven eight nine ten eleven twelve")
JOBS: Final = _words("teacher doctor baker farmer driver painter singer pilot cook nurse")
LANGUAGES: Final = ("French", "German", "Spanish")

CAPITALS: Final = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin",
    "Japan": "Tokyo", "China": "Beijing", "Egypt": "Cairo", "Greece": "Athens",
    "Norway": "Oslo", "Sweden": "Stockholm", "Poland": "Warsaw", "Austria": "Vienna",
    "Portugal": "Lisbon", "Ireland": "Dublin", "Russia": "Moscow", "Turkey": "Ankara",
    "Cuba": "Havana", "Peru": "Lima", "Kenya": "Nairobi", "India": "New Delhi",
    "Canada": "Ottawa", "Mexico": "Mexico City", "Finland": "Helsinki", "Denmark": "Copenhagen",
    "Hungary": "Budapest", "England": "London", "Belgium": "Brussels", "Chile": "Santiago",
}  # fmt: skip
OPPOSITES: Final = {
    "hot": "cold", "big": "small", "fast": "slow", "light": "dark", "up": "down",
    "open": "closed", "early": "late", "good": "bad", "old": "young", "high": "low",
    "wet": "dry", "full": "empty", "hard": "soft", "loud": "quiet", "left": "right",
    "day": "night", "happy": "sad", "long": "short", "strong": "weak", "rich": "poor",
}  # fmt: skip
SOUNDS: Final = {
    "dog": "woof", "cat": "meow", "duck": "quack", "owl": "hoot", "lion": "roar", "cow": "moo",
    "frog": "croak", "hen": "cluck", "wolf": "howl", "goat": "baa", "horse": "neigh",
    "bee": "buzz", "pig": "oink", "mouse": "squeak",
}  # fmt: skip
YOUNG: Final = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "horse": "foal", "hen": "chick",
    "duck": "duckling", "lion": "cub", "bear": "cub", "goat": "kid", "pig": "piglet",
    "frog": "tadpole", "owl": "owlet",
}  # fmt: skip
LEGS: Final = {
    "dog": "four", "cat": "four", "horse": "four", "hen": "two", "duck": "two", "bee": "six",
    "spider": "eight", "cow": "four", "person": "two", "snake": "zero", "fish": "zero",
}  # fmt: skip
THING_COLORS: Final = {
    "the sky": "blue", "grass": "green", "snow": "white", "a banana": "yellow", "blood": "red",
    "coal": "black", "a carrot": "orange", "the sun": "yellow", "milk": "white",
    "chocolate": "brown", "a tomato": "red", "a pig": "pink", "an elephant": "grey",
    "a leaf": "green", "the sea": "blue",
}  # fmt: skip
PLURALS: Final = {
    "mouse": "mice", "child": "children", "foot": "feet", "tooth": "teeth", "man": "men",
    "woman": "women", "goose": "geese", "sheep": "sheep", "cat": "cats", "box": "boxes",
    "city": "cities", "wolf": "wolves",
}  # fmt: skip
PAST: Final = {
    "go": "went", "see": "saw", "eat": "ate", "run": "ran", "give": "gave", "take": "took",
    "walk": "walked", "play": "played", "find": "found", "make": "made", "say": "said",
    "write": "wrote",
}  # fmt: skip
TRANSLATIONS: Final = {
    "hello": ("bonjour", "hallo", "hola"), "cat": ("chat", "Katze", "gato"),
    "dog": ("chien", "Hund", "perro"), "house": ("maison", "Haus", "casa"),
    "water": ("eau", "Wasser", "agua"), "bread": ("pain", "Brot", "pan"),
    "red": ("rouge", "rot", "rojo"), "book": ("livre", "Buch", "libro"),
    "sun": ("soleil", "Sonne", "sol"), "yes": ("oui", "ja", "si"),
    "friend": ("ami", "Freund", "amigo"), "milk": ("lait", "Milch", "leche"),
}  # fmt: skip
SIZES: Final = ("ant", "bee", "mouse", "frog", "cat", "dog", "goat", "horse", "elephant", "whale")
"""Animals from small to big."""

DEFINITIONS: Final = {
    "river": "A river is water that flows to the sea.",
    "mountain": "A mountain is a very high hill made of rock.",
    "forest": "A forest is a place with many trees.",
    "school": "A school is a place where children learn.",
    "library": "A library is a place with many books to read.",
    "market": "A market is a place where people buy and sell food.",
    "castle": "A castle is a big old house with strong walls.",
    "farm": "A farm is a place where people grow food and keep animals.",
    "friend": "A friend is a person you like and trust.",
    "teacher": "A teacher is a person who helps children learn.",
    "doctor": "A doctor is a person who helps sick people.",
    "baker": "A baker is a person who makes bread and cake.",
    "bee": "A bee is a small insect that makes honey.",
    "owl": "An owl is a bird that flies at night.",
    "whale": "A whale is a very big animal that lives in the sea.",
    "frog": "A frog is a small green animal that jumps and swims.",
    "horse": "A horse is a big animal that people can ride.",
    "kite": "A kite is a toy that flies in the wind.",
    "boat": "A boat is a thing that carries people over water.",
    "lamp": "A lamp is a thing that gives light.",
    "star": "A star is a very big ball of hot gas.",
    "moon": "The moon is a ball of rock that goes around the earth.",
    "function": "A function is a piece of code with a name that you can call.",
    "list": "A list is a row of values in a fixed order.",
    "loop": "A loop is code that runs again and again.",
    "string": "A string is a piece of text in a program.",
    "token": "A token is a small piece of text that a language model reads.",
    "feature": "A feature is a direction inside a model that stands for one idea.",
    "language model": "A language model is a program that predicts the next token.",
}
