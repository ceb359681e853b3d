"""PyTorch's own modules, and what people build of them: to Keras models as a user would write them."""

from modules import attention, conv_lstm, gan, grouped, lora, recurrent, seq2seq, transformer, wavenet

FAMILIES = (recurrent, attention, transformer, seq2seq, wavenet, gan, grouped, lora, conv_lstm)

CASES = [case for family in FAMILIES for case in family.CASES]
