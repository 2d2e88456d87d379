using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Web;

/// <summary>Which of the provider's cells this process belongs to (docs/cells.md); section <c>Cell</c>.</summary>
internal sealed class CellOptions
{
    /// <summary>Shown to operators, with health and in every line of the log.</summary>
    [RegularExpression("^[a-z0-9][a-z0-9-]{0,31}$", ErrorMessage = "Cell:Name is up to 32 small letters, digits and hyphens.")]
    public string Name { get; set; } = "main";
}
