namespace NetAutomation.Inventory.Select;

/// <summary>Reads a selector from left to right; blanks stand anywhere between its parts.</summary>
internal sealed class SelectorText(string text)
{
    private int _at;

    public bool AtEnd => Next == '\0';

    /// <summary>The next character that is not blank; U+0000 at the end.</summary>
    public char Next
    {
        get
        {
            while (_at < text.Length && text[_at] is (' ' or '\t' or '\r' or '\n'))
            {
                _at++;
            }

            return _at < text.Length ? text[_at] : '\0';
        }
    }

    public bool Take(string mark)
    {
        if (AtEnd || !text.AsSpan(_at).StartsWith(mark, StringComparison.Ordinal))
        {
            return false;
        }

        _at += mark.Length;
        return true;
    }

    /// <summary>Everything up to a blank or a mark; empty where a mark comes next.</summary>
    public string Word()
    {
        _ = Next;
        var start = _at;
        while (_at < text.Length && text[_at] is not (' ' or '\t' or '\r' or '\n' or ',' or '(' or ')' or '=' or '!' or '<' or '>'))
        {
            _at++;
        }

        return text[start.._at];
    }

    public string Expected(string what) => $"{what} expected before position {_at + 1}.";
}
