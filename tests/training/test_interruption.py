import signal
import threading

import pytest

from srnn_lab.system.interrupts import noted_signals


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_is_noted_and_ctrl_c_after_it_interrupts(first):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), noted_signals() as noted:
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        assert noted == [first, signal.SIGTERM]
        signal.raise_signal(signal.SIGINT)
    assert noted == [first, signal.SIGTERM]
    assert handlers() == before


def test_nothing_is_installed_outside_of_the_main_thread():
    before, found = handlers(), []

    def look():
        with noted_signals() as noted:
            found.append((noted, handlers()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [([], before)]
